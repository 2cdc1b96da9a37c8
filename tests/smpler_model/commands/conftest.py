"""Fixtures shared by the tests of the command `run`."""

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(nano_file: Path, here: Path) -> list[str]:
    """The arguments shared by all runs, without the input."""
    shared = ["--model", str(nano_file), "--detector", "full_image", "--device", "cpu"]
    return ["run", *shared, "--threads", "1", "--output", "out"]
