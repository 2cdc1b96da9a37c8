"""What a viewer shows at one time."""

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
        stamp_ns: when the image was taken, nanoseconds.
        camera: what took it.
        people: who was found, in its optical frame.
        world_from_camera: (4, 4) where it was, metres; z is up in the world.
        floor_m: height of the floor in the world.
        rgb: (h, w, 3) uint8, of any size; None where there is no image.
        truth: who was there; None where that is not known.
    """

    stamp_ns: int
    camera: Camera
    people: People
    world_from_camera: Floats
    floor_m: float = 0.0
    rgb: NDArray[np.uint8] | None = None
    truth: People | None = None
