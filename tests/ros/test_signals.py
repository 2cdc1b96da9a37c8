"""Signals end a node whenever they arrive."""

import subprocess
import sys

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


def test_a_signal_that_does_not_interrupt_the_wait_ends_it() -> None:
    """Like one that arrives just as the wait begins; here another thread receives it."""
    done = subprocess.run([sys.executable, "-c", LATE], timeout=20, check=False)
    assert done.returncode == 0
