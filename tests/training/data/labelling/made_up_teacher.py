"""A network that detects coloured spots, and a person made of such spots."""

import numpy as np
from numpy.typing import NDArray

from training.data.labelling.answers import Answers
from training.data.labelling.landmarks import LANDMARKS
from training.data.labelling.pose_network import POINTS

SPOTS = {
    LANDMARKS.index("left_hip"): (255, 0, 0),
    LANDMARKS.index("right_hip"): (0, 255, 0),
    LANDMARKS.index("nose"): (0, 0, 255),
    len(LANDMARKS): (255, 255, 0),
    len(LANDMARKS) + 1: (0, 255, 255),
}
"""Colour of points: three landmarks, the hips' midpoint, and the end of the region."""


def find_spots(crop: NDArray[np.uint8]) -> Answers:
    """Return the centres of spots; in 3D at 100 pixels per metre, 3 m in front of the camera."""
    points = np.zeros((POINTS, 2), np.float32)
    visibility = np.zeros(POINTS, np.float32)
    for row, colour in SPOTS.items():
        rows, columns = np.nonzero((np.abs(crop.astype(int) - colour) < 80).all(2))
        if len(rows):
            points[row], visibility[row] = (columns.mean(), rows.mean()), 1
    points_m = np.column_stack((points / 100, np.full(POINTS, 3))).astype(np.float32)
    score = np.float32(visibility.max())
    return Answers(np.array(score), points, visibility, points_m, np.zeros(POINTS, np.float32))


def random_answers(n: int, seed: int, points: int = len(LANDMARKS)) -> Answers:
    """Return predictions for n people, as large as people in photos."""
    rng = np.random.default_rng(seed)
    return Answers(
        np.full(n, 0.9, np.float32),
        rng.uniform(0, 300, (n, points, 2)).astype(np.float32),
        rng.random((n, points)).astype(np.float32),
        rng.normal(0, 0.4, (n, points, 3)).astype(np.float32),
        rng.uniform(0, 0.2, (n, points)).astype(np.float32),
    )
