"""Reads the results of `smpler run`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.archives import read_npz
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.lenses import COEFFICIENT_COUNTS
from smpler_model.frames import DETAIL_KEYS, People, TrackState, TranslationSource, details_from
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
    *("frame_indices", "frame_stamps_ns", "frame_intrinsics", "frame_sizes", "frame_lenses"),
    *("frame_coefficients", "frame_calibrated", *_PLACES),
)
_OF_PEOPLE = ("frames", "ids", "states", "sources", *_NUMBERS, *DETAIL_KEYS)
_MOST_BYTES = 8_000_000_000


class _Stored(NamedTuple):
    """A frame as it is stored, and the plane of the floor (4) in the optical frame, if known."""

    frame: RecordedFrame
    floor: Floats | None


def find_results(path: Path) -> Path | None:
    """Return the results file that a path names: itself, or the one in a run's folder."""
    if path.is_dir():
        return next((path / name for name in RESULTS if (path / name).is_file()), None)
    return path if path.suffix in (".jsonl", ".npz") and path.is_file() else None


def read_results(path: Path) -> list[RecordedFrame]:
    """Return the frames of a results file.

    A camera without a pose stands still, and what the run knew of the floor at last holds for all
    of its frames.

    Raises:
        SourceError: it is no results file.
        OSError: it cannot be read.
    """
    try:
        stored = list(_read_lines(path) if path.suffix == ".jsonl" else _read_arrays(path))
        return _place_on_floor(stored)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} must be the results of `smpler run`, got something else ({error}); give a "
            "run's folder, a bag or a video"
        ) from error


def _place_on_floor(stored: Sequence[_Stored]) -> list[RecordedFrame]:
    """Return frames whose cameras are above the last floor, where they have no pose."""
    static = (floor for frame, floor in stored if frame.world_from_camera is None)
    floors = [floor for floor in static if floor is not None]
    pose = pose_above(floors[-1]) if floors else None
    return [
        replace(frame, world_from_camera=pose) if frame.world_from_camera is None else frame
        for frame, _ in stored
    ]


def _read_lines(path: Path) -> Iterator[_Stored]:
    with path.open() as file:
        for line in file:
            record = json.loads(line)
            camera = record["camera"] | {"coefficients": tuple(record["camera"]["coefficients"])}
            frame = RecordedFrame(
                record["stamp_ns"],
                Camera(**camera),
                _people_of_records(record["people"]),
                world_from_camera=_known(record.get("fixed_from_camera"), 4, 4),
                index=int(record["index"]),
            )
            yield _Stored(frame, _known(record.get("floor"), 4))


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


def _read_arrays(path: Path) -> Iterator[_Stored]:
    arrays = read_npz(path, (*_OF_FRAMES, *_OF_PEOPLE), most_bytes=_MOST_BYTES)
    if not arrays:
        return  # a run that found no frame
    stamps_ns = arrays["frame_stamps_ns"].tolist()
    indices = arrays.get("frame_indices", np.arange(len(stamps_ns))).tolist()
    bounds = np.searchsorted(arrays["frames"], np.arange(len(stamps_ns) + 1)).tolist()
    for row, stamp_ns in enumerate(stamps_ns):
        here = slice(bounds[row], bounds[row + 1])
        people = _people(
            ids=arrays["ids"][here],
            states=arrays["states"][here],
            sources=arrays["sources"][here],
            arrays={name: arrays[name][here].astype(np.float64) for name in _NUMBERS},
            details={name: arrays[name][here] for name in DETAIL_KEYS if name in arrays},
        )
        pose, floor = (arrays[name][row] if name in arrays else None for name in _PLACES)
        frame = RecordedFrame(
            stamp_ns,
            _camera_of_row(arrays, row),
            people,
            world_from_camera=_known(pose, 4, 4),
            index=indices[row],
        )
        yield _Stored(frame, _known(floor, 4))


def _known(values: ArrayLike | None, *shape: int) -> Floats | None:
    """Return values in a shape; None where they, or some of them, are None or NaN."""
    numbers = np.array(np.nan if values is None else values, np.float64)
    return numbers.reshape(shape) if np.isfinite(numbers).all() else None


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
