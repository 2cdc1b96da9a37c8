"""Appearance of a person, for re-identification: torso colours and body shape."""

import cv2
import numpy as np

from smpler_model.array_types import Floats, RgbImage
from smpler_model.body.skeleton import SMPL_JOINTS

BANDS, COLUMNS = 4, 8
"""Rows of colour from the shoulders to the hips, each the mean of this many points."""

SHAPES = 3
"""Shape coefficients that count: height, girth and build."""

SPREADS = np.array([9.0, 5.0, 5.0] * BANDS + [0.8] * SHAPES)
"""(15) how much these differ between two visits of one person: lightness and the two colours of
CIELAB in each band, and the shape coefficients, as estimated.
"""

_CORNERS = [
    SMPL_JOINTS.index(name)
    for name in ("right_shoulder", "left_shoulder", "right_hip", "left_hip")
]
_INSET = 0.15  # of the torso's sides, that arms and background cover
_SURE = 0.5  # confidence of the corners


def find_appearances(
    rgb: RgbImage, keypoints_px: Floats, confidences: Floats, betas: Floats
) -> Floats:
    """Return the appearances (n, 15) of people; NaN where the torso is not clearly visible.

    Args:
        rgb: the image.
        keypoints_px: (n, 24, 2).
        confidences: (n, 24) of the joints.
        betas: (n, 10).
    """
    height, width = rgb.shape[:2]
    corners = keypoints_px[:, _CORNERS]  # (n, 4, 2)
    down, across = (np.linspace(_INSET, 1 - _INSET, count) for count in (BANDS, COLUMNS))
    weights = np.einsum(
        "dk,cl->dckl", np.stack([1 - down, down], 1), np.stack([1 - across, across], 1)
    )
    points = np.einsum("dck,nkx->ndcx", weights.reshape(BANDS, COLUMNS, 4), corners)
    inside = ((points >= 0) & (points <= (width - 1, height - 1))).all((1, 2, 3))
    seen = inside & (confidences[:, _CORNERS] > _SURE).all(1)
    u, v = np.moveaxis(np.where(seen[:, None, None, None], points, 0).round().astype(int), -1, 0)
    colours = rgb[v, u].astype(np.float32).reshape(len(seen) * BANDS, COLUMNS, 3) / 255
    bands = np.zeros((len(seen), BANDS * 3))
    if len(seen):
        bands = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).mean(1).reshape(len(seen), -1)
    appearances = np.concatenate([bands, betas[:, :SHAPES]], 1)
    return np.where(seen[:, None], appearances, np.nan)


def appearance_distance(appearances: Floats, others: Floats) -> Floats:
    """Return distances (n) of appearances (n, 15): on average 1 for two visits of one person."""
    apart = ((appearances - others) / SPREADS) ** 2
    # Colours and shape count alike, however many numbers each has.
    colours, shapes = apart[..., : 3 * BANDS].mean(-1), apart[..., 3 * BANDS :].mean(-1)
    return np.asarray((2 * colours + shapes) / 3)
