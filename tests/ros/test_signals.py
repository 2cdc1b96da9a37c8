"""Signals end a node whenever they arrive, and whatever it does then."""

import signal
import subprocess
import sys
import time

import pytest

LATE = """
import signal, threading, time
from queue import SimpleQueue
from smpler_ros.node.node_process import wait_for_stop
stop = SimpleQueue()
signal.signal(signal.SIGTERM, lambda *_: stop.put(None))
def send():
    time.sleep(0.5)  # the main thread waits by then
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=send).start()
wait_for_stop(stop)
"""

STUCK = """
import ctypes, sys
from smpler_ros.node.node_process import ManagedNode, run_node

def never_return():
    print("stuck", flush=True)
    mutex = ctypes.create_string_buffer(128)
    library = {library}
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)

class Stuck(ManagedNode):
    def __init__(self):
        super().__init__("stuck")
        self.declare_parameter("autostart", True)

    def start(self):
        {start}
        print("started", flush=True)
        return True

    def close(self):
        {close}

sys.exit(run_node(Stuck, []))
"""
"""A node that is stuck in a library, as in a driver: no handler of Python's runs there."""

FREE, LOCKED = "ctypes.CDLL(None)", "ctypes.PyDLL(None)"
"""A library that releases the interpreter, and one that does not."""


def stop(script: str, said: str, number: signal.Signals) -> tuple[int, str, float]:
    """Run a script, signal it once it says something; return status, stderr and seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while said not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(number)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
        return process.returncode, errors, time.monotonic() - start


def test_a_signal_that_does_not_interrupt_the_wait_ends_it() -> None:
    """Like one that arrives just as the wait begins; here another thread receives it."""
    done = subprocess.run([sys.executable, "-c", LATE], timeout=20, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_stuck_in_a_library_is_ended(
    ros_domain: int, number: signal.Signals
) -> None:
    script = STUCK.format(library=FREE, start="never_return()", close="pass")
    status, errors, seconds = stop(script, "stuck", number)
    assert status == 0
    assert not errors
    assert seconds < 8


@pytest.mark.parametrize("library", [FREE, LOCKED])
def test_a_stop_that_is_stuck_is_ended_and_shows_where(ros_domain: int, library: str) -> None:
    script = STUCK.format(library=library, start="pass", close="time.sleep(1); never_return()")
    status, errors, seconds = stop(f"import time\n{script}", "started", signal.SIGINT)
    assert status == 1
    assert "in never_return" in errors
    assert "in close" in errors
    assert 7 < seconds < 30
