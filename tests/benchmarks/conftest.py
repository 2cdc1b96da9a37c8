"""Benchmarks run as briefly as they can; what their tests check is not the time taken."""

import pytest

from benchmarks import timing, training


@pytest.fixture(autouse=True)
def brief_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time everything once, and the machine with small arrays."""
    monkeypatch.setattr(timing, "_TURNS", 1)
    monkeypatch.setattr(timing, "_SETTLING_RUNS", 0)
    for module in (timing, training):
        monkeypatch.setattr(module, "_LEAST_RUNS", 1)
    monkeypatch.setattr(timing, "_TRIES", 1)
    monkeypatch.setattr(timing, "_MATRIX", 256)
    monkeypatch.setattr(timing, "_COPY_BYTES", 1 << 20)
