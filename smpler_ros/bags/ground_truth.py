"""Ground truth for the people in a bag: from one of its topics, or from a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.bags.people_topics import PEOPLE_TYPE, people_from_message
from smpler_model.bags.reader import BagMessage, BagReader, SourceError
from smpler_model.bags.stamp_order import REWIND_NS
from smpler_model.body.archives import read_npz
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_SHAPE_COUNT, SMPL_VERTEX_COUNT
from smpler_model.cameras.messages import NS_PER_S, stamp_ns_of
from smpler_model.frames import People

STAMP_TOLERANCE_NS = 1_000_000
"""Largest difference between the timestamps of an image and its ground truth."""

_KEPT_NS = 5 * NS_PER_S  # ground truth kept for late images
_AHEAD_NS = NS_PER_S  # ground truth may be recorded this much out of order
LEAST_IN_VIEW = 0.2
"""Least share of a labelled person's joints in view for the person to count as visible.

Source: Dollar et al., "Pedestrian detection: an evaluation of the state of the art", PAMI 2012:
people who are occluded by more than 80 % count in no figure. Differs: the share is of joints, not
of a box, which does not shrink where only both sides of a person are seen; and joints beyond the
image's edge are as little in view as occluded ones.
"""

_MOST = 1e6  # limit of boxes, angles, coefficients and positions
_MOST_BYTES = 8_000_000_000  # of a truth file; an hour of one person's vertices at 13 Hz
_J = len(SMPL_JOINTS)
_FILE_FIELDS: dict[str, tuple[int, ...]] = {
    "stamps_ns": (),
    "ids": (),
    "boxes_xyxy": (4,),
    "pose": (3 * _J,),
    "betas": (SMPL_SHAPE_COUNT,),
    "translations_m": (3,),
}
_CAMERAS, _LABELLED, _VERTICES = "cameras", "labelled_ns", "vertices_m"
_CONFIDENCES = "joint_confidences"
_OPTIONAL_FIELDS = (_CAMERAS, _LABELLED, _VERTICES, _CONFIDENCES)


class Truth(Protocol):
    """Ground truth of the people in front of one camera."""

    def at(self, stamp_ns: int) -> People | None:
        """Return the people at a timestamp; None if the image is not labelled.

        Timestamps are requested in order. A step back by more than `REWIND_NS` means that the
        clock was set back.
        """


class TopicTruth:
    """Ground truth in a `SmplPersonArray` topic, read along with the images in bounded memory.

    When the clock was set back, a new pass begins, for images and ground truth alike: images are
    matched only with ground truth of their own pass.
    """

    def __init__(self, reader: BagReader, topic: str) -> None:
        """Open the topic.

        Args:
            reader: reader of the bag.
            topic: topic of the ground truth.
        """
        passes = groupby(_read(reader, topic), _PassNumber())
        self._passes = (_Pass(images) for _, images in passes)
        self._pass = self._begin_pass()
        self._asked_ns = 0

    def at(self, stamp_ns: int) -> People | None:
        """Return the people at a timestamp; see `Truth`."""
        if stamp_ns < self._asked_ns - REWIND_NS:
            self._pass = self._begin_pass()
        self._asked_ns = stamp_ns
        return self._pass.at(stamp_ns)

    def _begin_pass(self) -> _Pass:
        """Leave the previous pass, including its unread part."""
        return next(self._passes, _Pass(iter(())))


@dataclass(frozen=True)
class _Labelled:
    """An image's timestamp, nanoseconds, and the people in it."""

    stamp_ns: int
    people: People


class _Pass:
    """Ground truth of one pass. State: what was read so far, near the current images."""

    def __init__(self, images: Iterator[_Labelled]) -> None:
        self._images = images
        self._held: dict[int, People] = {}
        self._newest_ns = 0
        self._ended = False

    def at(self, stamp_ns: int) -> People | None:
        while not self._ended and self._newest_ns < stamp_ns + _AHEAD_NS:
            self._take()
        self._held = {
            stamp: people
            for stamp, people in self._held.items()
            if abs(stamp - stamp_ns) <= _KEPT_NS
        }
        nearest = min(self._held, key=lambda stamp: abs(stamp - stamp_ns), default=None)
        if nearest is None or abs(nearest - stamp_ns) > STAMP_TOLERANCE_NS:
            return None
        return self._held[nearest]

    def _take(self) -> None:
        each = next(self._images, None)
        if each is None:
            self._ended = True
            return
        self._newest_ns = each.stamp_ns
        self._held[each.stamp_ns] = each.people


class _PassNumber:
    """Counts how often the clock was set back before an image."""

    def __init__(self) -> None:
        self._count = self._newest_ns = 0

    def __call__(self, each: _Labelled) -> int:
        stamp = each.stamp_ns
        if stamp < self._newest_ns - REWIND_NS:
            self._count, self._newest_ns = self._count + 1, stamp
        self._newest_ns = max(self._newest_ns, stamp)
        return self._count


class FileTruth:
    """Ground truth in a `.npz` file of m rows, one per person and image.

    Fields: `stamps_ns` (m) int64 timestamps of the images, `ids` (m) of the people, `boxes_xyxy`
    (m, 4) pixels, `pose` (m, 72) axis-angle, rad, the first joint's in the optical frame, `betas`
    (m, 10), `translations_m` (m, 3) SMPL's translation in the optical frame. Optional: `cameras`
    (m) image topics, needed for a bag with several; `vertices_m` (m, 6890, 3) in the optical
    frame; `joint_confidences` (m, 24) 0 to 1, low where a joint is not in view; `labelled_ns` (k)
    timestamps of labelled images without people. Timestamps identify images: for a recording whose
    clock was set back, ground truth must be a topic.

    Attributes:
        cameras: image topics in the file; None if it has none.
    """

    def __init__(self, path: Path, camera: str) -> None:
        """Read the file.

        Args:
            path: path of the file.
            camera: image topic whose rows are used, if the file has image topics.

        Raises:
            ValueError: a file in another format.
            OSError: a file that cannot be read.
        """
        fields = _read_fields(path)
        self.cameras: frozenset[str] | None = None
        mine = slice(None)
        if _CAMERAS in fields:
            self.cameras = frozenset(fields[_CAMERAS].tolist())
            mine = fields[_CAMERAS] == camera
        self._fields = {
            name: values[mine]
            for name, values in fields.items()
            if name not in (_CAMERAS, _LABELLED)
        }
        stamps = self._fields["stamps_ns"]
        self._stamps = np.unique(np.concatenate([stamps, fields.get(_LABELLED, stamps[:0])]))

    def at(self, stamp_ns: int) -> People | None:
        """Return the people at a timestamp; see `Truth`."""
        if not len(self._stamps):
            return None
        place = int(np.searchsorted(self._stamps, stamp_ns))
        around = self._stamps[max(place - 1, 0) : place + 1].tolist()
        nearest = min(around, key=lambda stamp: abs(stamp - stamp_ns))
        if abs(nearest - stamp_ns) > STAMP_TOLERANCE_NS:
            return None
        rows = np.flatnonzero(self._fields["stamps_ns"] == nearest)
        return _people({name: values[rows] for name, values in self._fields.items()})


def read_file_truths(
    path: Path, cameras: Sequence[str], topics: Collection[str]
) -> dict[str, Truth]:
    """Return the ground truth of each camera in a file.

    Args:
        path: path of the file, as for `FileTruth`.
        cameras: image topics.
        topics: topics in the bag.

    Raises:
        ValueError: a file in another format, or one that does not distinguish the cameras.
        OSError: a file that cannot be read.
    """
    truths = {camera: FileTruth(path, camera) for camera in cameras}
    named = next(iter(truths.values())).cameras
    if named is None and len(cameras) > 1:
        raise ValueError(
            f"{path} must hold cameras, the image topic of each row, for a bag with several, got "
            "none; add them, or evaluate the cameras one by one"
        )
    if strange := (named or frozenset()) - set(topics):
        raise ValueError(
            f"the cameras in {path} must be image topics of the bag, got '{min(strange)}'; "
            "correct them, or leave their rows out"
        )
    return dict(truths)


def _read(reader: BagReader, topic: str) -> Iterator[_Labelled]:
    """Yield the ground truth of a topic.

    Raises:
        ValueError: messages whose fields are not those of the type.
    """
    try:
        for each in reader.read_messages([topic]):
            yield _label(each, topic)
    except SourceError:
        return  # where the bag is truncated, its images end too, which is reported


def _label(each: BagMessage, topic: str) -> _Labelled:
    try:
        return _Labelled(stamp_ns_of(each.message), people_from_message(each.message))
    except (AttributeError, TypeError, ValueError) as error:  # fields of other names or types
        raise ValueError(
            f"the truth on {topic} must be {PEOPLE_TYPE} with the fields of this version, got one "
            f"with others ({error}); choose another --truth, or none"
        ) from error


def usable_rows(people: People) -> NDArray[np.bool_]:
    """Return (n,) whether each person's values are valid."""
    needed = (people.boxes_xyxy, people.rotations, people.betas, people.translations_m)
    usable = np.ones(len(people), np.bool_)
    for values in (*needed, people.vertices_m):
        if values is not None and len(people):
            # False for NaN.
            usable &= (np.abs(values.reshape(len(people), -1)) < _MOST).all(1)
    return usable


def visible_rows(people: People) -> NDArray[np.bool_]:
    """Return (n,) whether enough of each labelled person is in view to be found.

    That is the mean of the joints' confidences; joints of unknown confidence count as in view.
    """
    if people.joint_confidences is None:
        return np.ones(len(people), np.bool_)
    in_view = np.nan_to_num(people.joint_confidences, nan=1.0).mean(1)
    return np.asarray(in_view >= LEAST_IN_VIEW)


def _read_fields(path: Path) -> dict[str, NDArray[np.generic]]:
    names = (*_FILE_FIELDS, *_OPTIONAL_FIELDS)
    fields = read_npz(path, names, most_bytes=_MOST_BYTES)
    rows = len(np.atleast_1d(fields.get("stamps_ns", ())))
    shapes = {name: (rows, *shape) for name, shape in _FILE_FIELDS.items()} | {
        name: shape
        for name, shape in (
            (_CAMERAS, (rows,)),
            (_LABELLED, (np.size(fields.get(_LABELLED, ())),)),
            (_VERTICES, (rows, SMPL_VERTEX_COUNT, 3)),
            (_CONFIDENCES, (rows, _J)),
        )
        if name in fields
    }
    for name, expected in shapes.items():
        got = fields[name].shape if name in fields else "none"
        if got != expected:
            raise ValueError(
                f"{path} must hold {name} of shape {expected}, one row per person and image, "
                f"got {got}; see `evaluate_bag --help`"
            )
    return {name: _convert(path, name, values) for name, values in fields.items()}


def _convert(path: Path, name: str, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a field as text, whole numbers or floats."""
    if name == _CAMERAS:
        wanted, fits = "text", values.dtype.kind in "US"
    elif name in ("ids", "stamps_ns", _LABELLED):
        wanted, fits = "whole numbers below 2^63", _are_whole(values)
    else:
        wanted, fits = "numbers", values.dtype.kind in "fiu"
    if not fits:
        raise ValueError(
            f"{path} must hold {name} as {wanted}, got {values.dtype} with other values; see "
            "`evaluate_bag --help`"
        )
    return values.astype({"text": np.str_, "numbers": np.float64}.get(wanted, np.int64))


def _are_whole(values: NDArray[np.generic]) -> bool:
    if values.dtype.kind not in "fiu" or not values.size:
        return values.dtype.kind in "fiu"
    numbers = np.asarray(values, np.float64)
    return bool((np.abs(numbers) < 2.0**63).all() and (numbers == numbers.round()).all())


def _people(fields: Mapping[str, NDArray[np.generic]]) -> People:
    n = len(fields["ids"])
    rotations = Rotation.from_rotvec(fields["pose"].reshape(-1, 3)).as_matrix() if n else []
    vertices, confidences = fields.get(_VERTICES), fields.get(_CONFIDENCES)
    return People(
        ids=fields["ids"].astype(np.int64),
        states=np.ones(n, np.uint8),
        scores=np.ones(n),
        boxes_xyxy=fields["boxes_xyxy"].astype(np.float64),
        rotations=np.asarray(rotations, np.float64).reshape(n, _J, 3, 3),
        betas=fields["betas"].astype(np.float64),
        translations_m=fields["translations_m"].astype(np.float64),
        covariances_m2=np.zeros((n, 3, 3)),
        sources=np.zeros(n, np.uint8),
        weak_cameras=np.zeros((n, 3)),
        joints_m=np.full((n, _J, 3), np.nan),
        keypoints_px=np.full((n, _J, 2), np.nan),
        vertices_m=None if vertices is None else vertices.astype(np.float32),
        joint_confidences=None if confidences is None else confidences.astype(np.float64),
    )
