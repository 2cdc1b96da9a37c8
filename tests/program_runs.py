"""Programs that start others, and are ended together with them."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_with_children(command: Sequence[str], timeout_s: float) -> str:
    """Run a command in the project's folder until it succeeds, and return its output.

    It and everything that it has started are killed at the end, so that nothing holds up the
    tests that follow; `subprocess.run` would kill the command alone, and wait for the others.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        output, _ = process.communicate()
        pytest.fail(f"{command} must end within {timeout_s:.0f} s, got:\n{output}")
    finally:
        _kill(process)
    assert process.returncode == 0, output
    return output


def _kill(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
