"""Programs of a benchmark always end, and their logs explain what they do not do."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.node_programs import Program, wait_for

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


@pytest.fixture
def deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """A program that logs a word, and ignores SIGTERM."""
    (tmp_path / "deaf.py").write_text(DEAF)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    program = Program("deaf")
    yield program
    program.stop(within_s=0.0)


def test_a_program_that_does_not_end_is_killed(deaf: Program) -> None:
    wait_for(lambda: "deaf" in deaf.log, "it must log a word", [deaf])
    assert not deaf.has_ended
    start = time.monotonic()
    deaf.stop(within_s=0.3)
    assert deaf.has_ended
    assert time.monotonic() - start < 5


def test_a_wait_ends_with_the_log(deaf: Program) -> None:
    wait_for(lambda: "deaf" in deaf.log, "it must log a word", [deaf])
    sentence = r"it must hear within 0 s, but did not\ndeaf runs, and has used \d+ s .*log:\ndeaf"
    with pytest.raises(TimeoutError, match=sentence):
        wait_for(lambda: False, "it must hear", [deaf], timeout_s=0.2)
    deaf.stop(within_s=0.0)
    with pytest.raises(RuntimeError, match=r"program ended\ndeaf ended with status -9"):
        wait_for(lambda: False, "it must hear", [deaf])
