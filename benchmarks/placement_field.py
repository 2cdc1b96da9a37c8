"""Errors of placing people in the whole field of view of every lens model, from noisy keypoints.

The built-in body stands with slightly raised arms at one distance from the camera and several
angles off its axis, in several headings and directions around the axis. Its keypoints are exact
except for noise of a few pixels, and its size is right: the errors are those that placing makes
from noise. They are distances of SMPL's translation, metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from benchmarks.timing import format_table
from smpler_model.array_types import Floats
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.people.placement import place

DISTANCE_M = 3.0
NOISE_PX = 3.0
ANGLES_DEG = (0, 30, 60, 75, 85)
_SIDE = 1280
_CENTRE = (_SIDE - 1) / 2
_WIDE, _FISHEYE = _SIDE / 2, _SIDE / np.pi  # focal lengths, pixels: 90 degrees, 180 degrees
_HEADINGS, _DIRECTIONS, _DRAWS = 6, 6, 30
_SHOULDERS, _LIFTED_RAD = (16, 17), 1.1


def _camera(focal: float, lens: str = "none", *coefficients: float) -> Camera:
    return Camera(_SIDE, _SIDE, focal, focal, _CENTRE, _CENTRE, lens, coefficients)


LENSES = {
    "pinhole": _camera(_WIDE),
    "plumb_bob": _camera(_WIDE, "plumb_bob", -0.32, 0.11, 0.001, -0.001, 0),
    "plumb_bob that turns at 43 degrees": _camera(_WIDE, "plumb_bob", -0.38, 0, 0, 0),
    "rational_polynomial": _camera(
        _WIDE, "rational_polynomial", 0.3, 0.05, 0.0005, -0.0003, 0, 0.5, 0.06, 0
    ),
    "the same, tilted": _camera(
        *(_WIDE, "rational_polynomial", 0.3, 0.05, 0.0005, -0.0003, 0, 0.5, 0.06, 0),
        *(0, 0, 0, 0, 0.02, -0.01),
    ),
    "equidistant, 180 degrees": _camera(_FISHEYE, "equidistant", 0, 0, 0, 0),
    "equidistant, bent": _camera(_FISHEYE, "equidistant", -0.02, 0.005, -0.002, 0.0004),
}
"""Cameras with images of 1280x1280 and every model of `sensor_msgs/CameraInfo`."""


def measure_field(angles_deg: Sequence[float] = ANGLES_DEG) -> list[dict[str, Any]]:
    """Return a row for each lens and angle: errors, metres; None if the lens shows no people."""
    rng = np.random.default_rng(0)
    joints = _stand()
    rows = []
    for name, camera in LENSES.items():
        for degrees in angles_deg:
            errors = _errors(joints, camera, np.radians(degrees), rng)
            rows.append(
                {
                    "lens": name,
                    "angle_deg": degrees,
                    "median_m": float(np.median(errors)) if len(errors) else None,
                    "p90_m": float(np.percentile(errors, 90)) if len(errors) else None,
                }
            )
    return rows


def tabulate_field(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return median / 90th percentile in metres, lenses as rows and angles as columns."""
    angles = dict.fromkeys(row["angle_deg"] for row in rows)
    lines: dict[str, list[str]] = {}
    for row in rows:
        shown = row["median_m"] is not None
        cell = f"{row['median_m']:.3f} / {row['p90_m']:.3f}" if shown else "not shown"
        lines.setdefault(row["lens"], []).append(cell)
    head = ["lens", *(f"{angle:g} degrees" for angle in angles)]
    return format_table(head, [[name, *cells] for name, cells in lines.items()])


def _stand() -> Floats:
    """Return the joints (headings, 24, 3) of a standing person, in the optical frame's axes."""
    around = np.linspace(0, 2 * np.pi, _HEADINGS, endpoint=False)
    upright = Rotation.from_rotvec([np.pi, 0, 0])  # SMPL's y is up, the optical frame's is down
    rotations = np.tile(np.eye(3), (_HEADINGS, 24, 1, 1))
    turned = upright * Rotation.from_rotvec(np.outer(around, (0, 1, 0)))
    rotations[:, 0] = turned.as_matrix()
    for joint, side in zip(_SHOULDERS, (-1, 1), strict=True):
        rotations[:, joint] = Rotation.from_rotvec([0, 0, side * _LIFTED_RAD]).as_matrix()
    body = Body(load_builtin_body())
    with torch.inference_mode():
        joints = body.joints(torch.from_numpy(rotations).float(), torch.zeros(_HEADINGS, 10))
    centred = joints.double().numpy()
    return np.asarray(centred - centred.mean(1, keepdims=True))


def _errors(joints: Floats, camera: Camera, angle: float, rng: np.random.Generator) -> Floats:
    """Return the errors, metres, of the people in view at an angle off the axis."""
    around = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    aside = np.sin(angle) * np.stack([np.cos(around), np.sin(around)], 1)
    places = DISTANCE_M * np.column_stack([aside, np.full(_DIRECTIONS, np.cos(angle))])
    people = np.repeat(np.tile(joints, (_DIRECTIONS, 1, 1)), _DRAWS, 0)
    truth = np.repeat(np.repeat(places, len(joints), 0), _DRAWS, 0)
    exact = camera.project(people + truth[:, None])
    half = np.isfinite(exact).all(2).sum(1) * 2 >= exact.shape[1]  # at least half of the joints
    noisy = exact[half] + rng.normal(0, NOISE_PX, exact[half].shape)
    found = place(people[half], noisy, camera).translations_m
    return np.asarray(np.linalg.norm(found - truth[half], axis=1))
