"""Results as files: JSON lines, or one file of NumPy arrays."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from smpler_model.atomic_files import write_atomically
from smpler_model.frames import (
    DETAIL_KEYS,
    FrameResult,
    People,
    TrackState,
    TranslationSource,
    details_of,
    values_or_nan,
)
from smpler_model.line_files import LineFile

_DECIMALS = 6
_MOST_COEFFICIENTS = 14


class ResultFile(Protocol):
    """Takes results one after the other; `close` leaves a valid file at any time."""

    def write(self, index: int, name: str, result: FrameResult) -> None:
        """Write the result of a frame.

        Args:
            index: index of the frame, from 0.
            name: name of the frame; empty if it has none.
            result: result of the frame.
        """

    def close(self) -> None:
        """Finish the file."""


class JsonLinesFile:
    """One line per frame, complete at any time. Lengths are in metres, angles in radians.

    A line has `index`, `name`, `stamp_ns`, `frame_id`, `camera` (intrinsics and lens) and
    `people`, and where they are known `fixed_frame`, `fixed_from_camera` (4x4) and `floor` (4, the
    plane in the optical frame). A person has `id`, `state`, `score`, `box_xyxy` (pixels), `pose`
    (72, axis-angle), `betas` (10), `translation_m`, `translation_covariance_m2` (3x3),
    `translation_source`, `weak_camera` (s, tx, ty), `joints_m` (24x3) and `keypoints_px` (24x2,
    null behind the camera), and where they are known `joint_confidence` (24), `foot_contact`
    (left, right), `footprint_m` (optical frame), and in the fixed frame `position_m`,
    `position_covariance_m2` (3x3), `velocity_m_s`, `velocity_covariance_m2_s2` (3x3) and
    `facing_rad`.
    """

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)

    def write(self, index: int, name: str, result: FrameResult) -> None:
        """Write a line completely or not at all.

        Raises:
            OSError: it cannot be written.
        """
        record = {
            "index": index,
            "name": name,
            "stamp_ns": result.stamp_ns,
            "frame_id": result.frame_id,
            "camera": asdict(result.camera),
            **_describe_place(result),
            "people": _describe(result.people),
        }
        self._file.append(json.dumps(record, allow_nan=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ArraysFile:
    """An .npz file, written on closing: f frames, and n people over all frames.

    `frame_*` arrays have f rows: `frame_indices` (from 0), `frame_stamps_ns`, `frame_names`,
    `frame_intrinsics` (fx, fy, cx, cy), `frame_sizes` (width, height), `frame_lenses`,
    `frame_coefficients` (14, padded with zeros), `frame_calibrated`, `frame_fixed_frames` (empty
    where there is none), `frame_fixed_from_camera` (4, 4) and `frame_floors` (4), both NaN where
    unknown. The others have n rows: `frames` (row of the frame), `ids`, `states`, `scores`,
    `boxes_xyxy`, `poses` (72), `betas` (10), `translations_m`, `covariances_m2` (3, 3), `sources`,
    `weak_cameras`, `joints_m` (24, 3), `keypoints_px` (24, 2; NaN behind the camera), and, NaN
    where unknown, `joint_confidences` (24), `foot_contacts` (2), `footprints_m` (3), `positions_m`
    (3), `position_covariances_m2` (3, 3), `velocities_m_s` (3), `velocity_covariances_m2_s2` (3,
    3) and `facings_rad`. Numbers are float32.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: list[dict[str, ArrayLike]] = []
        self._people: list[dict[str, Any]] = []

    def write(self, index: int, name: str, result: FrameResult) -> None:
        """Remember a result."""
        camera, people = result.camera, result.people
        coefficients = np.zeros(_MOST_COEFFICIENTS)
        coefficients[: len(camera.coefficients)] = camera.coefficients
        self._people.append(
            {"frames": np.full(len(people), len(self._frames))} | _arrays_of(people)
        )
        self._frames.append(
            {
                "indices": index,
                "stamps_ns": result.stamp_ns,
                "names": name,
                "intrinsics": (camera.fx, camera.fy, camera.cx, camera.cy),
                "sizes": (camera.width, camera.height),
                "lenses": camera.lens,
                "coefficients": coefficients,
                "calibrated": camera.calibrated,
                "fixed_frames": "" if result.pose is None else result.pose.frame_id,
                "fixed_from_camera": values_or_nan(
                    None if result.pose is None else result.pose.fixed_from_camera, 4, 4
                ),
                "floors": values_or_nan(result.floor, 4),
            }
        )

    def close(self) -> None:
        """Write the file completely or not at all."""
        frames: dict[str, Any] = {
            f"frame_{key}": np.array([frame[key] for frame in self._frames])
            for key in (self._frames[0] if self._frames else ())
        }
        people: dict[str, Any] = {
            key: np.concatenate([part[key] for part in self._people])
            for key in (self._people[0] if self._people else ())
        }
        write_atomically(self._path, lambda file: np.savez_compressed(file, **frames, **people))


RESULT_FILES: dict[str, Callable[[Path], ResultFile]] = {
    "jsonl": JsonLinesFile,
    "npz": ArraysFile,
}
"""Writers of result files by suffix."""


def axis_angles(people: People) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return SMPL's pose vectors (n, 72), radians."""
    n = len(people)
    if n == 0:
        return np.empty((0, 72))
    vectors = Rotation.from_matrix(people.rotations.reshape(-1, 3, 3)).as_rotvec()
    return np.asarray(vectors, np.float64).reshape(n, 72)


def _describe_place(result: FrameResult) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if result.pose is not None:
        known["fixed_frame"] = result.pose.frame_id
        known["fixed_from_camera"] = _numbers(result.pose.fixed_from_camera)
    if result.floor is not None:
        known["floor"] = _numbers(result.floor)
    return known


def _describe(people: People) -> list[dict[str, Any]]:
    poses, details = axis_angles(people), details_of(people)
    known = {name: values for name, values in details.items() if np.isfinite(values).any()}
    return [
        _describe_person(people, row, poses[row])
        | {DETAIL_KEYS[name]: _numbers(values[row]) for name, values in known.items()}
        for row in range(len(people))
    ]


def _describe_person(people: People, row: int, pose: ArrayLike) -> dict[str, Any]:
    return {
        "id": int(people.ids[row]),
        "state": TrackState(people.states[row]).name.lower(),
        "score": round(float(people.scores[row]), _DECIMALS),
        "box_xyxy": _numbers(people.boxes_xyxy[row]),
        "pose": _numbers(pose),
        "betas": _numbers(people.betas[row]),
        "translation_m": _numbers(people.translations_m[row]),
        "translation_covariance_m2": _numbers(people.covariances_m2[row]),
        "translation_source": TranslationSource(people.sources[row]).name.lower(),
        "weak_camera": _numbers(people.weak_cameras[row]),
        "joints_m": _numbers(people.joints_m[row]),
        "keypoints_px": _numbers(people.keypoints_px[row]),
    }


def _arrays_of(people: People) -> dict[str, Any]:
    numbers = {
        "scores": people.scores,
        "boxes_xyxy": people.boxes_xyxy,
        "poses": axis_angles(people),
        "betas": people.betas,
        "translations_m": people.translations_m,
        "covariances_m2": people.covariances_m2,
        "weak_cameras": people.weak_cameras,
        "joints_m": people.joints_m,
        "keypoints_px": people.keypoints_px,
        **details_of(people),
    }
    rows = {"ids": people.ids, "states": people.states, "sources": people.sources}
    return rows | {name: array.astype(np.float32) for name, array in numbers.items()}


def _numbers(array: Any) -> Any:  # noqa: ANN401 - nested lists
    """Return an array as lists, with null for NaN, which JSON lacks."""
    rounded = np.round(np.asarray(array, np.float64), _DECIMALS)
    numbers = np.array(rounded, object)
    numbers[~np.isfinite(rounded)] = None
    return numbers.tolist()
