"""Inputs and results of the pipeline: an image, and the people in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera

DETAIL_KEYS = {
    "joint_confidences": "joint_confidence",
    "foot_contacts": "foot_contact",
    "footprints_m": "footprint_m",
    "positions_m": "position_m",
    "position_covariances_m2": "position_covariance_m2",
    "velocities_m_s": "velocity_m_s",
    "velocity_covariances_m2_s2": "velocity_covariance_m2_s2",
    "facings_rad": "facing_rad",
}
"""Names in result files of the attributes of `People` that may be unknown."""


class TrackState(IntEnum):
    """State of a track, with the numbers of `smpler_msgs/SmplPerson`."""

    TENTATIVE = 0
    CONFIRMED = 1
    COASTING = 2


class TranslationSource(IntEnum):
    """How a person's distance was determined, with the numbers of `smpler_msgs/SmplPerson`."""

    BODY_SIZE = 0
    DEPTH = 1
    FIELD_OF_VIEW = 2
    FLOOR = 3
    VIEWS = 4


@dataclass(frozen=True)
class CameraPose:
    """Where a camera was when it took an image.

    Attributes:
        frame_id: a fixed frame with z up (REP 105), for example `map` or `odom`.
        fixed_from_camera: (4, 4) transform from the camera's optical frame to it, metres.
    """

    frame_id: str
    fixed_from_camera: Floats


@dataclass(frozen=True)
class Frame:
    """One image of one camera.

    Attributes:
        rgb: (h, w, 3) uint8.
        stamp_ns: timestamp of the image, nanoseconds.
        frame_id: the camera's optical frame.
        camera: the camera's calibration; None if there is none.
        depth_m: (h, w) float32 metres along the optical axis, aligned with the image; None if
            there is none.
        pose: the camera's pose in the fixed frame; None if there is none.
        recorded_ns: when the image was recorded in a bag, nanoseconds; 0 if unknown.
    """

    rgb: NDArray[np.uint8]
    stamp_ns: int
    frame_id: str = ""
    camera: Camera | None = None
    depth_m: NDArray[np.float32] | None = None
    pose: CameraPose | None = None
    recorded_ns: int = 0

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8:
            raise ValueError(
                f"an image must be (h, w, 3) uint8, got {self.rgb.shape} {self.rgb.dtype}; "
                "convert it to RGB first"
            )
        if 0 in self.rgb.shape:
            raise ValueError(
                f"an image must have pixels, got {self.rgb.shape[1]}x{self.rgb.shape[0]}; fix "
                "its source"
            )
        height, width = self.rgb.shape[:2]
        if self.camera is not None and (self.camera.width, self.camera.height) != (width, height):
            raise ValueError(
                f"the camera is calibrated for {self.camera.width}x{self.camera.height}, the "
                f"image is {width}x{height}; calibrate it at this size or send images of that size"
            )
        if self.depth_m is not None and self.depth_m.shape != (height, width):
            raise ValueError(
                f"the depth image must be as large as the image, {width}x{height}, got "
                f"{self.depth_m.shape[::-1]}; register it to the image"
            )


@dataclass(frozen=True)
class WorldMotion:
    """Where n people are in a fixed frame (z up), and how they move in it; NaN where unknown.

    Attributes:
        positions_m: (n, 3) of the pelvis.
        position_covariances_m2: (n, 3, 3).
        velocities_m_s: (n, 3) of the pelvis.
        velocity_covariances_m2_s2: (n, 3, 3).
        facings_rad: (n) yaw of the pelvis's forward axis about z, counterclockwise from x.
    """

    positions_m: Floats
    position_covariances_m2: Floats
    velocities_m_s: Floats
    velocity_covariances_m2_s2: Floats
    facings_rad: Floats


@dataclass(frozen=True)
class People:
    """n people in one image: one row each in every array. Frames are optical, units metres.

    Attributes:
        ids: (n) int64.
        states: (n) uint8 `TrackState`.
        scores: (n) of the detections, 0 to 1.
        boxes_xyxy: (n, 4) pixels.
        rotations: (n, 24, 3, 3) `parent_from_joint`; the pelvis's in the optical frame.
        betas: (n, 10).
        translations_m: (n, 3) SMPL's translation.
        covariances_m2: (n, 3, 3) covariances of the translations.
        sources: (n) uint8 `TranslationSource`.
        weak_cameras: (n, 3) weak perspective of the crops (s, tx, ty).
        joints_m: (n, 24, 3).
        keypoints_px: (n, 24, 2) projected joints, with lens distortion; NaN behind the camera.
        vertices_m: (n, 6890, 3) float32, None unless requested.
        joint_confidences: (n, 24) how sure each joint is, 0 to 1; None if not determined.
        foot_contacts: (n, 2) whether the left and the right foot touch the floor, 0 to 1; NaN
            where unknown; None if not determined.
        footprints_m: (n, 3) the points of the floor below the pelvises; NaN where unknown; None
            if not determined.
        motion: position and velocity in the fixed frame; None without a pose of the camera.
    """

    ids: Integers
    states: NDArray[np.uint8]
    scores: Floats
    boxes_xyxy: Floats
    rotations: Floats
    betas: Floats
    translations_m: Floats
    covariances_m2: Floats
    sources: NDArray[np.uint8]
    weak_cameras: Floats
    joints_m: Floats
    keypoints_px: Floats
    vertices_m: NDArray[np.float32] | None = None
    joint_confidences: Floats | None = None
    foot_contacts: Floats | None = None
    footprints_m: Floats | None = None
    motion: WorldMotion | None = None

    def __len__(self) -> int:
        return len(self.ids)


class FoundPeople(Protocol):
    """What messages contain of results: those of one image, or fused from several."""

    @property
    def stamp_ns(self) -> int:
        """Timestamp, nanoseconds."""

    @property
    def frame_id(self) -> str:
        """Frame in which the people are."""

    @property
    def people(self) -> People:
        """The people."""

    @property
    def pose(self) -> CameraPose | None:
        """Pose of that frame in the fixed frame."""

    @property
    def floor(self) -> Floats | None:
        """Plane of the floor (4) in that frame."""


@dataclass(frozen=True)
class FrameResult:
    """The people in a frame.

    Attributes:
        stamp_ns: timestamp of the frame.
        frame_id: frame id of the frame.
        camera: camera used to place the people; not `calibrated` if assumed.
        people: the people found.
        timings_ms: duration of each step of this frame; of the whole batch for `detect` and
            `estimate`, which cameras share. `pipeline.sum_timings` adds those of a batch.
        left_out: a sentence for each person who was detected or tracked but is missing from
            `people`, because of a value that is not finite or because they cannot be placed.
        pose: the frame's.
        floor: (4) plane of the floor in the optical frame: a unit normal that points up, and the
            camera's height above the floor, metres, so that normal x + height = 0 for a point x
            on it; None if unknown.
    """

    stamp_ns: int
    frame_id: str
    camera: Camera
    people: People
    timings_ms: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    pose: CameraPose | None = None
    floor: Floats | None = None


def values_or_nan(values: Floats | None, *shape: int) -> Floats:
    """Return values, or NaN in this shape where there are none."""
    return np.full(shape, np.nan) if values is None else values


def details_of(people: People) -> dict[str, Floats]:
    """Return what is not always known of n people, by attribute: (n, ...), NaN where unknown."""
    n = len(people)
    return {
        name: values_or_nan(getattr(owner, name, None), n, *shape)
        for owner, shapes in ((people, _OWN_DETAILS), (people.motion, _MOTION_DETAILS))
        for name, shape in shapes.items()
    }


def details_from(n: int, rows: Mapping[str, ArrayLike]) -> dict[str, Any]:
    """Return arguments of `People` from what `details_of` returned for n people.

    Args:
        n: number of people.
        rows: arrays by attribute, of any shape with n rows; those that are missing, or NaN as a
            whole, are None in the result.
    """
    shapes = _OWN_DETAILS | _MOTION_DETAILS
    given = {
        name: np.asarray(rows[name], np.float64).reshape(n, *shape)
        for name, shape in shapes.items()
        if name in rows
    }
    known = {name: values for name, values in given.items() if np.isfinite(values).any()}
    motion = None
    if known.keys() & _MOTION_DETAILS.keys():
        motion = WorldMotion(
            *(values_or_nan(given.get(name), n, *s) for name, s in _MOTION_DETAILS.items())
        )
    return {name: known.get(name) for name in _OWN_DETAILS} | {"motion": motion}


_OWN_DETAILS: dict[str, tuple[int, ...]] = {
    "joint_confidences": (len(SMPL_JOINTS),),
    "foot_contacts": (2,),
    "footprints_m": (3,),
}
_MOTION_DETAILS: dict[str, tuple[int, ...]] = {
    "positions_m": (3,),
    "position_covariances_m2": (3, 3),
    "velocities_m_s": (3,),
    "velocity_covariances_m2_s2": (3, 3),
    "facings_rad": (),
}
