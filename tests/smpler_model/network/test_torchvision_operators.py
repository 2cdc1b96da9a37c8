import logging
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.network.torchvision_operators import import_torchvision, suppress_overlaps


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes on a coarse grid, so that they often touch, coincide or have equal scores."""
    size = draw(st.integers(0, 12))
    corners = [[draw(st.integers(0, 6)) for _ in range(2)] for _ in range(size)]
    sides = [[draw(st.integers(0, 4)) for _ in range(2)] for _ in range(size)]
    boxes = torch.tensor(
        [[*c, c[0] + s[0], c[1] + s[1]] for c, s in zip(corners, sides, strict=True)]
    )
    scores = draw(st.permutations([0.05 * k for k in range(size)]))
    return boxes.reshape(size, 4).float(), torch.tensor(scores)


def overlap(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


@given(scored_boxes(), st.sampled_from([0.0, 0.23, 0.5, 0.77, 1.0]))
def test_suppression_equals_its_definition(
    drawn: tuple[torch.Tensor, torch.Tensor], threshold: float
) -> None:
    boxes, scores = drawn
    waiting = sorted(range(len(scores)), key=lambda index: -scores[index].item())
    kept = []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [
            k for k in waiting if overlap(boxes[best].tolist(), boxes[k].tolist()) <= threshold
        ]
    assert suppress_overlaps(boxes, scores, threshold).tolist() == kept


def test_installed_operator_agrees() -> None:
    torchvision = import_torchvision()
    if not torchvision.extension._has_ops():
        pytest.skip("torchvision's own operators do not load beside this torch")
    rng = np.random.default_rng(0)
    corners = torch.from_numpy(rng.uniform(0, 50, (200, 2)))
    boxes = torch.cat((corners, corners + torch.from_numpy(rng.uniform(1, 30, (200, 2)))), 1)
    scores = torch.from_numpy(rng.permutation(200) / 200)
    expected = torchvision.ops.nms(boxes, scores, 0.4)
    assert torch.equal(suppress_overlaps(boxes, scores, 0.4), expected)


def test_second_import_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    first = import_torchvision()
    with caplog.at_level(logging.WARNING):
        assert import_torchvision() is first
    assert not caplog.records


BREAK_THE_LIBRARY = """
import torch
real = torch.ops.load_library
def refuse(path):
    if "torchvision" in str(path):
        raise OSError("built for another torch")
    real(path)
torch.ops.load_library = refuse
"""

USE_TORCHVISION = """
import logging, sys, warnings
warnings.simplefilter("error")
logging.basicConfig(format="%(message)s")
from smpler_model.network.torchvision_operators import import_torchvision
assert not [name for name in sys.modules if name.startswith(("torchvision", "timm"))]
torchvision = import_torchvision()
import timm, torch
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
torch.manual_seed(0)
detector = fasterrcnn_mobilenet_v3_large_320_fpn(
    weights=None, weights_backbone=None, box_score_thresh=0.0).eval()
with torch.inference_mode():
    found = detector([torch.rand(3, 96, 128)])[0]
assert len(found["boxes"]) == len(found["scores"]) > 0
boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 3], [9, 9, 12, 12]])
assert torchvision.ops.nms(boxes, torch.tensor([0.1, 0.9, 0.5]), 0.5).tolist() == [1, 2]
assert torch.ops.torchvision.nms(boxes, torch.tensor([0.1, 0.9, 0.5]), 0.5).tolist() == [1, 2]
"""


@pytest.mark.slow
def test_timm_and_detectors_work_when_the_operators_do_not_load() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BREAK_THE_LIBRARY + USE_TORCHVISION],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "install builds that match" in done.stderr


@pytest.mark.slow
def test_other_failures_are_not_hidden() -> None:
    script = """
import sys
from importlib.abc import MetaPathFinder
class Failing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchvision":
            raise RuntimeError("something else")
sys.meta_path.insert(0, Failing())
from smpler_model.network.torchvision_operators import import_torchvision
import_torchvision()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("RuntimeError: something else")
