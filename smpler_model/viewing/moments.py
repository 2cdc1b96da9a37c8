"""What a viewer shows at one point in time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera
from smpler_model.frames import People


@dataclass(frozen=True)
class Moment:
    """An image and the people in it.

    Attributes:
        stamp_ns: timestamp of the image, nanoseconds.
        camera: the camera.
        people: estimated people, in the camera's optical frame.
        world_from_camera: (4, 4) pose of the camera, metres; z is up in the world.
        floor_m: height of the floor in the world.
        rgb: (h, w, 3) uint8, of any size; None without an image.
        truth: true people; None if unknown.
    """

    stamp_ns: int
    camera: Camera
    people: People
    world_from_camera: Floats
    floor_m: float = 0.0
    rgb: NDArray[np.uint8] | None = None
    truth: People | None = None
