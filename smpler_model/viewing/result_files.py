"""Reads the results of `smpler run`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.archives import read_npz
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.lenses import COEFFICIENT_COUNTS
from smpler_model.frames import DETAIL_KEYS, People, TranslationSource, details_from
from smpler_model.people.tracker import TrackState
from smpler_model.source import SourceError
from smpler_model.viewing.assumed_pose import pose_above
from smpler_model.viewing.recording import RecordedFrame

RESULTS = ("results.jsonl", "results.npz")

_JOINTS = len(SMPL_JOINTS)
_NUMBERS = (
    *("scores", "boxes_xyxy", "poses", "betas", "translations_m", "covariances_m2"),
    *("weak_cameras", "joints_m", "keypoints_px"),
)
_PLACES = ("frame_fixed_from_camera", "frame_floors")
_OF_FRAMES = (
    *("frame_stamps_ns", "frame_intrinsics", "frame_sizes", "frame_lenses"),
    *("frame_coefficients", "frame_calibrated", *_PLACES),
)
_OF_PEOPLE = ("frames", "ids", "states", "sources", *_NUMBERS, *DETAIL_KEYS)
_MOST_BYTES = 8_000_000_000


def find_results(path: Path) -> Path | None:
    """Return the results file that a path names: itself, or the one in a run's folder."""
    if path.is_dir():
        return next((path / name for name in RESULTS if (path / name).is_file()), None)
    return path if path.suffix in (".jsonl", ".npz") and path.is_file() else None


def read_results(path: Path) -> list[RecordedFrame]:
    """Return the frames of a results file.

    Raises:
        SourceError: it is no results file.
        OSError: it cannot be read.
    """
    try:
        return list(_read_lines(path) if path.suffix == ".jsonl" else _read_arrays(path))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} must be the results of `smpler run`, got something else ({error}); give a "
            "run's folder, a bag or a video"
        ) from error


def _read_lines(path: Path) -> Iterator[RecordedFrame]:
    with path.open() as file:
        for line in file:
            record = json.loads(line)
            camera = record["camera"] | {"coefficients": tuple(record["camera"]["coefficients"])}
            yield RecordedFrame(
                record["stamp_ns"],
                Camera(**camera),
                _people_of_records(record["people"]),
                world_from_camera=_place(record.get("fixed_from_camera"), record.get("floor")),
            )


def _people_of_records(records: list[dict[str, Any]]) -> People:
    def stack(name: str, *shape: int) -> Floats:
        rows = [each[name] for each in records]
        return np.array(rows, np.float64).reshape(len(records), *shape)  # null is NaN

    return _people(
        ids=np.array([each["id"] for each in records], np.int64),
        states=np.array([TrackState[each["state"].upper()] for each in records], np.uint8),
        sources=np.array(
            [TranslationSource[each["translation_source"].upper()] for each in records], np.uint8
        ),
        arrays={
            "scores": stack("score"),
            "boxes_xyxy": stack("box_xyxy", 4),
            "poses": stack("pose", 3 * _JOINTS),
            "betas": stack("betas", 10),
            "translations_m": stack("translation_m", 3),
            "covariances_m2": stack("translation_covariance_m2", 3, 3),
            "weak_cameras": stack("weak_camera", 3),
            "joints_m": stack("joints_m", _JOINTS, 3),
            "keypoints_px": stack("keypoints_px", _JOINTS, 2),
        },
        details={
            name: stack(key, -1)
            for name, key in DETAIL_KEYS.items()
            if records and all(key in each for each in records)
        },
    )


def _read_arrays(path: Path) -> Iterator[RecordedFrame]:
    arrays = read_npz(path, (*_OF_FRAMES, *_OF_PEOPLE), most_bytes=_MOST_BYTES)
    if not arrays:
        return  # a run that found no frame
    for row, stamp_ns in enumerate(arrays["frame_stamps_ns"].tolist()):
        here = arrays["frames"] == row
        people = _people(
            ids=arrays["ids"][here],
            states=arrays["states"][here],
            sources=arrays["sources"][here],
            arrays={name: arrays[name][here].astype(np.float64) for name in _NUMBERS},
            details={name: arrays[name][here] for name in DETAIL_KEYS if name in arrays},
        )
        pose = _place(*(arrays[name][row] if name in arrays else None for name in _PLACES))
        yield RecordedFrame(stamp_ns, _camera_of_row(arrays, row), people, world_from_camera=pose)


def _place(fixed_from_camera: ArrayLike | None, floor: ArrayLike | None) -> Floats | None:
    """Return world_from_camera (4, 4), metres; None if nothing tells it.

    Args:
        fixed_from_camera: (4, 4) the camera's pose in the fixed frame; None or NaN if unknown.
        floor: (4) plane of the floor in the optical frame, likewise; used where there is no pose.
    """
    pose, plane = _numbers(fixed_from_camera, 4, 4), _numbers(floor, 4)
    if np.isfinite(pose).all():
        return pose
    return pose_above(plane) if np.isfinite(plane).all() else None


def _numbers(values: ArrayLike | None, *shape: int) -> Floats:
    """Return values in a shape; NaN where they are None."""
    if values is None:
        return np.full(shape, np.nan)
    return np.array(values, np.float64).reshape(shape)


def _camera_of_row(arrays: Any, row: int) -> Camera:  # noqa: ANN401 - arrays by name
    width, height = arrays["frame_sizes"][row].tolist()
    fx, fy, cx, cy = arrays["frame_intrinsics"][row].tolist()
    lens = str(arrays["frame_lenses"][row])
    numbers = arrays["frame_coefficients"][row].tolist()
    return Camera(
        int(width),
        int(height),
        float(fx),
        float(fy),
        float(cx),
        float(cy),
        lens=lens,
        coefficients=tuple(numbers[: _coefficient_count(lens, numbers)]),
        calibrated=bool(arrays["frame_calibrated"][row]),
    )


def _coefficient_count(lens: str, numbers: list[float]) -> int:
    """Return how many coefficients a lens has: the least number that loses none but zeros."""
    used = max((index + 1 for index, value in enumerate(numbers) if value), default=0)
    fitting = [count for count in sorted(COEFFICIENT_COUNTS[lens]) if count >= used]
    return fitting[0]


def _people(
    ids: np.ndarray,
    states: np.ndarray,
    sources: np.ndarray,
    arrays: dict[str, Floats],
    details: dict[str, np.ndarray],
) -> People:
    n = len(ids)
    vectors = arrays["poses"].reshape(-1, 3)
    matrices = Rotation.from_rotvec(vectors).as_matrix() if n else np.empty((0, 3, 3))
    return People(
        ids=ids,
        states=states,
        sources=sources,
        rotations=matrices.reshape(n, _JOINTS, 3, 3),
        scores=arrays["scores"],
        boxes_xyxy=arrays["boxes_xyxy"],
        betas=arrays["betas"],
        translations_m=arrays["translations_m"],
        covariances_m2=arrays["covariances_m2"],
        weak_cameras=arrays["weak_cameras"],
        joints_m=arrays["joints_m"],
        keypoints_px=arrays["keypoints_px"],
        **details_from(n, details),
    )
