import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.attention_scaling import KINDS, PeakMemory, choose_kernel, main, measure

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_memory_is_that_of_living_tensors() -> None:
    with PeakMemory() as memory:
        first = torch.zeros(1000)
        second = first + 1
        del second
        third = first * 2
        view = third[:10]
    assert memory.peak == 8000
    assert memory.held == 8000
    del first, third
    assert memory.held == 4000  # the view keeps its storage
    del view
    assert memory.held == 0


def test_full_attention_grows_with_the_square() -> None:
    """For four times the tokens, decoupled attention costs less than four times, full far more."""
    with choose_kernel("plain"):
        growth = {kind: [measure(kind, side, 0.0, CPU) for side in (16, 32)] for kind in KINDS}
    few, many = growth["decoupled"]
    assert many.image_tokens == 4 * few.image_tokens
    assert many.gflop < 4 * few.gflop
    assert many.forward_mb < 4 * few.forward_mb
    few, many = growth["full"]
    assert many.gflop > 4.5 * few.gflop
    assert many.forward_mb > 8 * few.forward_mb


def test_results_are_drawn_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plot, output = tmp_path / "plot.png", tmp_path / "rows.json"
    options = ["--sides", "8", "16", "--seconds", "0", "--device", "cpu"]
    arguments = ["attention_scaling", *options, "--plot", str(plot), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    main()
    assert plot.read_bytes().startswith(b"\x89PNG")
    rows = json.loads(output.read_text())["rows"]
    assert [(row["kind"], row["side"]) for row in rows] == [
        (kind, side) for kind in KINDS for side in (8, 16)
    ]
