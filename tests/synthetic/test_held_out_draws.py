"""Held-out people are drawn as they always were, or figures of different days do not compare.

`python -m tests.synthetic.test_held_out_draws` writes `held_out_draws.json` anew; that is right
only where all held-out figures are measured anew, too.
"""

import json
from pathlib import Path

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from synthetic.crop_style import CropStyle
from synthetic.crops import CropRenderer, DrawnCrops

GOLDEN = Path(__file__).with_name("held_out_draws.json")
STYLES = {"held out": CropStyle(everyday=1.0), "any pose": CropStyle(everyday=0.0)}
SIZE, PEOPLE, CELL = 64, 4, 16


def draw(style: CropStyle) -> DrawnCrops:
    renderer = CropRenderer(Body(load_builtin_body()), SIZE, style=style)
    return renderer.draw_seen(PEOPLE, torch.Generator().manual_seed(1_000_000))


def describe(crops: DrawnCrops) -> dict[str, list[float]]:
    """Return the colours of 4 x 4 cells, 0 to 255, and where the joints and the camera are."""
    cells = torch.nn.functional.avg_pool2d(crops.images.float(), CELL)
    values = {
        "cells": cells,
        "joints": crops.keypoints[:, :24],
        "betas": crops.betas,
        "translations_m": crops.translation_m,
    }
    return {
        name: [round(x, 3) for x in value.flatten().tolist()] for name, value in values.items()
    }


@pytest.mark.parametrize("name", STYLES)
def test_held_out_people_stay_the_same(name: str) -> None:
    expected = json.loads(GOLDEN.read_text())[name]
    drawn = describe(draw(STYLES[name]))
    assert drawn["cells"] == pytest.approx(expected.pop("cells"), abs=1.5)
    for part, values in expected.items():
        assert drawn[part] == pytest.approx(values, abs=2e-3), part


if __name__ == "__main__":
    GOLDEN.write_text(
        json.dumps({name: describe(draw(style)) for name, style in STYLES.items()}) + "\n"
    )
