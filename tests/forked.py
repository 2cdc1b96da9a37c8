"""Programs of this project as processes of their own.

They are forked from a process that has imported what most of them import, which takes seconds of
processor time. Unlike `python -m`, they end without the interpreter's shutdown. Starts and ends as
users see them are in `test_program`, `test_command_line`, `test_run`, `test_demo`, `test_process`,
`test_signals` and `test_launch_files`.
"""

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver, get_context, set_start_method
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from types import TracebackType
from typing import IO

import pytest

STARTUP_S = 60.0  # on a busy machine
ROOT = Path(__file__).parents[1]
IMPORTED = (
    *("smpler_model.assembly", "training.learning.learner"),
    *("smpler_ros.node.smpler_node", "smpler_ros.node.session", "smpler_ros.viewer.viewer_node"),
    *("smpler_ros.camera.synthetic_camera", "smpler_ros.camera.scene_film", "rclpy.executors"),
)


@cache
def forking_context() -> BaseContext:
    """Return the start method by a process that has imported `IMPORTED`, as far as it can."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *IMPORTED])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # from where that process imports
        forkserver.ensure_running()
    return context


class ForkedProgram:
    """A module that runs as the main one, in a session of its own.

    Its output is read continuously. At the end it is killed, with all that it has started.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        folder: Path = ROOT,
        change: Callable[[], None] | None = None,
    ) -> None:
        """Start it.

        Args:
            module: the module.
            arguments: of the command line.
            folder: in which it runs.
            change: called in the new process before the module runs; can be pickled.
        """
        is_preloaded = "LD_PRELOAD" in os.environ  # it needs a process that starts from nothing
        context = get_context("spawn") if is_preloaded else forking_context()
        self._output, output = context.Pipe(duplex=False)
        self._process = context.Process(
            target=run_module,
            args=(module, list(arguments), dict(os.environ), output, folder, change),
        )
        self._process.start()
        output.close()
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        """The output so far, with that to standard error."""
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return int(self._process.pid)

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return bool(self._process.is_alive())

    def wait_for(self, text: str, timeout_s: float = STARTUP_S) -> None:
        """Wait until a text was printed; fail if it is not in time."""
        end = time.monotonic() + timeout_s
        while text not in self.output:
            assert time.monotonic() < end, f"'{text}' was not printed in time:\n{self.output}"
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, float]:
        """Send a signal; return the exit status, the output, and the time taken, seconds."""
        start = time.monotonic()
        os.kill(self.pid, number)
        status = self.wait()
        return status, self.output, time.monotonic() - start

    def wait(self, timeout_s: float = STARTUP_S) -> int:
        """Wait until the process exits by itself; return its exit status."""
        self._process.join(timeout_s)
        status = self._process.exitcode
        assert status is not None, f"it must end within {timeout_s:.0f} s:\n{self.output}"
        self._reader.join(timeout_s)
        return int(status)

    def kill(self) -> None:
        """End the process, and what it has started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()  # if it has no session yet
        self._process.join()
        self._reader.join(STARTUP_S)

    def __enter__(self) -> "ForkedProgram":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            sys.stdout.write(self.output)

    def _read(self) -> None:
        with os.fdopen(os.dup(self._output.fileno()), errors="replace") as stream:
            self._output.close()
            self._lines.extend(stream)


def run_module(
    module: str,
    arguments: list[str],
    environment: dict[str, str],
    output: Connection | IO[str],
    folder: Path = ROOT,
    change: Callable[[], None] | None = None,
) -> None:
    """Run a module as the main one in a session; its outputs go to a pipe or a file."""
    os.setsid()
    set_start_method(None, force=True)  # as in a process that Python has started
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [module, *arguments]
    if change is not None:
        change()
    runpy.run_module(module, run_name="__main__", alter_sys=True)
