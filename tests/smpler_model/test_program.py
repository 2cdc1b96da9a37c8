"""Programs and their signals, as real processes."""

import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NODES = ("camera_stand", "demo", "smpler_node", "synthetic_camera")
PROGRAM = """
import signal, sys, threading, time
from smpler_model.program import run_program

def say(text):
    sys.stdout.write(text + "\\n")
    sys.stdout.flush()

def program():
    say("running")
    {body}
    return 3

def load():
    say("importing")
    {imports}
    return program

sys.exit(run_program(load, serves={serves}))
"""


def interrupt(
    command: list[str], text: str, number: signal.Signals = signal.SIGINT
) -> tuple[int, str]:
    """Send a signal once a process has printed a text; return its status and its output.

    A process that takes longer than two minutes is killed.
    """
    with (
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
        ExitStack() as stack,
    ):
        limit = Timer(120.0, process.kill)
        limit.start()
        stack.callback(limit.cancel)
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if text in line:
                break
        began = time.monotonic()
        process.send_signal(number)
        lines += process.stdout
        status = process.wait()
    assert any(text in line for line in lines), "".join(lines[-20:])
    assert time.monotonic() - began < 15.0, "on a busy machine, in a library's own code"
    return status, "".join(line for line in lines if not line.startswith("import time:"))


@pytest.mark.parametrize(("serves", "status"), [(False, 130), (True, 0)])
@pytest.mark.parametrize("when", ["importing", "running"])
def test_an_interrupt_is_quiet_at_any_time(when: str, serves: bool, status: int) -> None:
    program = PROGRAM.format(body="time.sleep(20)", imports="time.sleep(1)", serves=serves)
    assert interrupt([sys.executable, "-c", program], when)[0] == status


def test_a_program_can_finish_its_files_on_sigterm_as_on_ctrl_c() -> None:
    body = """
    try:
        say("working")
        time.sleep(20)
    except KeyboardInterrupt:
        say("finished")
        return 130"""
    program = PROGRAM.format(body=body, imports="", serves=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        status, output = interrupt([sys.executable, "-c", program], "working", number)
        assert (status, output.splitlines()[-1]) == (130, "finished")


def test_a_program_without_signals_ends_as_it_says() -> None:
    for serves in (False, True):
        program = PROGRAM.format(body="", imports="", serves=serves)
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
        assert done.returncode == 3


def test_a_signal_that_the_process_was_to_ignore_stays_ignored() -> None:
    program = PROGRAM.format(body="time.sleep(1)", imports="", serves=False)
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + program
    assert interrupt([sys.executable, "-c", program], "running")[0] == 3


@pytest.mark.parametrize(
    ("command", "status", "module"),
    [
        (("smpler_model", "run", "{image}"), 130, "torch._C"),
        (("smpler_ros.evaluate_bag", "{image}"), 130, "numpy"),
        (("smpler_ros.evaluate_bag", "{image}"), 130, "torch._C"),
        (("smpler_ros.synthetic_bag", "{image}"), 130, "torch._C"),
        (("smpler_ros.demo",), 130, "numpy"),
        (("smpler_ros.smpler_node",), 0, "torch._C"),
        (("smpler_ros.synthetic_camera",), 0, "torch._C"),
        (("smpler_ros.camera_stand",), 0, "numpy"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_entry_points_end_quietly_while_they_import(
    command: tuple[str, ...], status: int, module: str, tmp_path: Path
) -> None:
    if command[0].removeprefix("smpler_ros.") in NODES:
        pytest.importorskip("rclpy")
    image = tmp_path / "image.png"
    image.touch()
    words = [word.format(image=image) for word in command]
    found, output = interrupt([sys.executable, "-X", "importtime", "-m", *words], module)
    assert (found, "Traceback" in output) == (status, False), output
