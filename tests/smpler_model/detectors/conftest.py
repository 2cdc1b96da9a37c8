"""Fixtures shared by the detectors' tests."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(params=[False, True], ids=["relative", "decoded"])
def yolox(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file whose cells find one person at all strides, and one person with a low score."""
    graphs = pytest.importorskip("tests.smpler_model.detectors.onnx_graphs")
    edges = graphs.PERSON_EDGES
    people = {
        37: (edges, 0.9, 0.8),
        100: (edges + 1, 0.9, 0.7),
        graphs.CELLS - 2: (edges - 1, 0.8, 0.7),
        5: (np.array([70.0, 5, 90, 60]), 0.5, 0.6),
    }
    table = graphs.yolox_table(people, decoded=request.param)
    return graphs.write(tmp_path / "yolox.onnx", {"output": table})
