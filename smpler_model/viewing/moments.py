"""What a viewer shows at one point in time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera
from smpler_model.frames import People


@dataclass(frozen=True)
class Shot:
    """One of several cameras that look at the same people, and its newest image.

    Attributes:
        name: name of the camera.
        camera: the camera.
        world_from_camera: (4, 4) pose of the camera, metres; z is up in the world.
        rgb: (h, w, 3) uint8, of any size; None without an image.
    """

    name: str
    camera: Camera
    world_from_camera: Floats
    rgb: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Moment:
    """The people in an image, or people fused from several cameras.

    Attributes:
        stamp_ns: timestamp of the image, nanoseconds.
        camera: the camera; None for fused people, who are in a fixed frame.
        people: estimated people, in the camera's optical frame or the fixed one.
        world_from_camera: (4, 4) pose of that frame, metres; z is up in the world.
        floor_m: height of the floor in the world.
        rgb: (h, w, 3) uint8, of any size; None without an image.
        truth: true people, in the same frame; None if unknown.
        shots: the cameras of fused people.
    """

    stamp_ns: int
    camera: Camera | None
    people: People
    world_from_camera: Floats
    floor_m: float = 0.0
    rgb: NDArray[np.uint8] | None = None
    truth: People | None = None
    shots: tuple[Shot, ...] = ()
