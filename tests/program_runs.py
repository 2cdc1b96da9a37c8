"""Benchmarks that start other programs, and are ended together with them."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from benchmarks import timing
from tests.forked import forking_context, run_module


def run_benchmark(module: str, *arguments: str, output: Path, timeout_s: float) -> str:
    """Run a benchmark until it succeeds, and return its output, which goes to a file.

    Like nodes, it is forked from a process that has imported PyTorch. It and everything that it
    has started are killed at the end, so that nothing holds up the tests that follow.
    """
    given = (module, list(arguments), dict(os.environ), output)
    process = forking_context().Process(target=_run_in_session, args=given)  # type: ignore[attr-defined]
    process.start()
    try:
        process.join(timeout_s)
        status = process.exitcode
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
    said = output.read_text()
    assert status is not None, f"{module} must end within {timeout_s:.0f} s, got:\n{said}"
    assert status == 0, said
    return said


def _run_in_session(
    module: str, arguments: list[str], environment: dict[str, str], output: Path
) -> None:
    timing._MATRIX, timing._COPY_BYTES = 256, 1 << 20  # how fast the machine is does not matter
    with output.open("w") as file:
        run_module(module, arguments, environment, file)
