"""Nodes of this package as processes of their own, which end with the benchmark."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

Seen = TypeVar("Seen")

START_S = 90.0  # several times what nodes take to start on an idle machine
END_S = 10.0  # a node that does not end by itself within 8 s prints its threads' stacks and ends
_STEP_S = 0.05


class Program:
    """A node as a process, whose log is read."""

    def __init__(self, module: str, *parameters: str) -> None:
        """Start a module with ROS parameters, `name:=value`."""
        self._module = module
        arguments = [word for each in parameters for word in ("-p", each)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--ros-args", *arguments],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return "".join(self._lines)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def find(self, pattern: re.Pattern[str]) -> str | None:
        """Return what a pattern's group finds in the log so far, if anything."""
        found = pattern.search(self.log)
        return None if found is None else found[1]

    def processor_s(self) -> float:
        """Return the processor time so far, user and system."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def describe(self) -> str:
        """Return its state and its log, for an error message."""
        status = self._process.poll()
        if status is not None:
            how = f"ended with status {status}"
        else:
            how = f"runs, and has used {self.processor_s():.0f} s of a processor"
        return f"{self._module} {how}; its log:\n{self.log or '(empty)'}"

    def stop(self, within_s: float = END_S) -> None:
        """End it; kill it if it does not end in time."""
        self._process.terminate()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(END_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            self._lines.extend(lines)


def wait_for(
    look: Callable[[], Seen | None],
    expected: str,
    programs: Sequence[Program],
    timeout_s: float = START_S,
) -> Seen:
    """Wait for something that running programs bring about, and return it.

    Args:
        look: returns it, or a false value while it is missing.
        expected: what must happen, as a clause for the error message.
        programs: the programs, whose logs explain why it does not happen.
        timeout_s: longest wait.

    Raises:
        TimeoutError: it does not happen in time.
        RuntimeError: one of the programs ends before.
    """
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        if any(program.has_ended for program in programs):
            raise RuntimeError(f"{expected}, but a program ended\n{_describe(programs)}")
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{expected} within {timeout_s:.0f} s, but did not\n{_describe(programs)}"
            )
        time.sleep(_STEP_S)
    return seen


def _describe(programs: Sequence[Program]) -> str:
    return "\n".join(program.describe() for program in programs)
