"""Inputs and results of the pipeline: an image, and the people in it."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera


class TranslationSource(IntEnum):
    """How a person's distance was determined, with the numbers of `smpler_msgs/SmplPerson`."""

    BODY_SIZE = 0
    DEPTH = 1
    FIELD_OF_VIEW = 2


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
    """

    rgb: NDArray[np.uint8]
    stamp_ns: int
    frame_id: str = ""
    camera: Camera | None = None
    depth_m: NDArray[np.float32] | None = None

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
class People:
    """n people in one image: one row each in every array. Frames are optical, units metres.

    Attributes:
        ids: (n) int64.
        states: (n) uint8 `tracker.TrackState`.
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
    """

    ids: NDArray[np.int64]
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

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class FrameResult:
    """The people in a frame.

    Attributes:
        stamp_ns: timestamp of the frame.
        frame_id: frame id of the frame.
        camera: camera used to place the people; not `calibrated` if assumed.
        people: the people found.
        timings_ms: duration of each step; of the whole batch for steps that cameras share.
        left_out: a sentence for each person who was detected or tracked but is missing from
            `people`, because of a value that is not finite or because they cannot be placed.
    """

    stamp_ns: int
    frame_id: str
    camera: Camera
    people: People
    timings_ms: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
