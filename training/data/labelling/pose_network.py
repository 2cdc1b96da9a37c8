"""MediaPipe's pose landmark network as the teacher.

Only the network, on known regions: its detector would mix up people in crowds.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smpler_model.inference.optional_packages import import_optional
from training.data.labelling.answers import Answers
from training.data.labelling.landmarks import LANDMARKS, MIRRORED_LANDMARKS
from training.data.labelling.regions import SIDE_PX, Region, cut_region

Network = Callable[[NDArray[np.uint8]], Answers]
"""Predicts 39 points from a (256, 256, 3) RGB crop, in pixels of the crop: the 33 landmarks, two
that locate the person, and four that are not used here."""

POINTS = len(LANDMARKS) + 6

_MIRRORED = [*MIRRORED_LANDMARKS, *range(len(LANDMARKS), POINTS)]
_CELLS = 64  # side of the heat maps
_REACH = 3  # cells around a point that are used to refine it
_LEAST_HEAT = 0.5
_OUTPUTS = {
    "points": (1, 5 * POINTS),
    "points_m": (1, 3 * POINTS),
    "score": (1, 1),
    "heat": (1, _CELLS, _CELLS, POINTS),
}


class PoseNetwork:
    """The network from a TensorFlow Lite file, on one thread."""

    def __init__(self, path: Path) -> None:
        """Load a file.

        Raises:
            FileNotFoundError: there is none.
            ValueError: ai_edge_litert is not installed, or the file contains another network.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"the network must be a .tflite file, got {path}; download it, and "
                "give its path with --teacher or --second"
            )
        import_optional("ai_edge_litert", "the teacher")
        runtime = importlib.import_module("ai_edge_litert.interpreter")
        wrong = f"{path} must be MediaPipe's pose landmark network, got"
        try:
            self._network = runtime.Interpreter(str(path), num_threads=1)
        except (ValueError, RuntimeError):
            raise ValueError(f"{wrong} no TensorFlow Lite network; download it again") from None
        self._network.allocate_tensors()
        found = {
            tuple(each["shape"]): each["index"] for each in self._network.get_output_details()
        }
        (taken, *_) = self._network.get_input_details()
        if tuple(taken["shape"]) != (1, SIDE_PX, SIDE_PX, 3) or set(found) < set(
            _OUTPUTS.values()
        ):
            raise ValueError(
                f"{wrong} outputs {sorted(found)}; give pose_landmark_heavy.tflite or "
                "pose_landmark_full.tflite"
            )
        self._input = taken["index"]
        self._outputs = {name: found[shape] for name, shape in _OUTPUTS.items()}

    def __call__(self, crop: NDArray[np.uint8]) -> Answers:
        """Return the 39 points of a (256, 256, 3) RGB crop."""
        self._network.set_tensor(self._input, (crop.astype(np.float32) / 255)[None])
        self._network.invoke()
        output = {
            name: self._network.get_tensor(index)[0].copy()
            for name, index in self._outputs.items()
        }
        points = output["points"].reshape(POINTS, 5)  # x, y, z, visibility, presence
        return Answers(
            output["score"][0],
            refine(points[:, :2], _sigmoid(output["heat"])),
            _sigmoid(points[:, 3]),
            output["points_m"].reshape(POINTS, 3),
            np.zeros(POINTS, np.float32),
        )


def refine(points_px: NDArray[np.float32], heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move each point to the mean of its heat map's 7x7 cells around it, weighted by heat.

    Args:
        points_px: (k, 2) pixels of the crop; points outside it are unchanged.
        heat: (64, 64, k) from 0 to 1; if all cells are below 0.5, the point is unchanged.
    """
    cells = (points_px / SIDE_PX * _CELLS).astype(int)
    around = np.arange(-_REACH, _REACH + 1)
    shifts = np.stack(np.meshgrid(around, around), -1).reshape(-1, 2)
    columns, rows = np.moveaxis(cells[:, None] + shifts, 2, 0)  # (k, 49)
    last = _CELLS - 1
    inside = (columns == columns.clip(0, last)) & (rows == rows.clip(0, last))
    near = heat[rows.clip(0, last), columns.clip(0, last), np.arange(len(cells))[:, None]]
    near = np.where(inside, near, 0)
    sums = np.stack(((near * columns).sum(1), (near * rows).sum(1)), 1)
    means = sums / np.maximum(near.sum(1), 1e-9)[:, None]
    hot = near.max(1) >= _LEAST_HEAT
    return np.where(hot[:, None], means * (SIDE_PX / _CELLS), points_px).astype(np.float32)


def mirrored(answers: Answers) -> Answers:
    """Return the predictions for the mirrored crop: left limbs become right ones."""
    points, points_m = answers.points_px[_MIRRORED], answers.points_m[_MIRRORED]
    points[:, 0] = SIDE_PX - 1 - points[:, 0]
    points_m[:, 0] *= -1
    return Answers(
        answers.score,
        points,
        answers.visibility[_MIRRORED],
        points_m,
        answers.spread_m[_MIRRORED],
    )


def with_mirror(network: Network) -> Network:
    """Return a network that averages its predictions for a crop and for the mirrored crop."""

    def ask(crop: NDArray[np.uint8]) -> Answers:
        plain = network(crop)
        other = mirrored(network(np.ascontiguousarray(crop[:, ::-1])))
        means = {name: (values + getattr(other, name)) / 2 for name, values in vars(plain).items()}
        apart = np.linalg.norm(plain.points_m - other.points_m, axis=1) / 2
        return Answers(**{**means, "spread_m": apart})

    return ask


def look(rgb: NDArray[np.uint8], region: Region, network: Network) -> tuple[Answers, Region]:
    """Run a network on a region of an image.

    Args:
        rgb: (h, w, 3) image.
        region: region of the person.
        network: the network.

    Returns:
        The 33 landmarks, in the image's pixels and axes, and the region where the network sees the
        person.
    """
    found = network(cut_region(rgb, region))
    matrix = region.image_from_crop
    points = found.points_px @ matrix[:, :2].T + matrix[:, 2]
    points_m = found.points_m.copy()
    points_m[:, :2] = found.points_m[:, :2] @ region.image_from_upright.T
    centre, top = points[len(LANDMARKS) : len(LANDMARKS) + 2]
    seen = Region(centre, top - centre, float(np.linalg.norm(top - centre)))
    points_px = points.astype(np.float32)
    whole = Answers(found.score, points_px, found.visibility, points_m, found.spread_m)
    return whole.points(slice(len(LANDMARKS))), seen


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-values.clip(-60, 60))), np.float32)
