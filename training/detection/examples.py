"""Images with boxes around people, as the detector's network learns from them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.detectors.person_network import STRIDE

WIDTH, HEIGHT = 256, 192
"""Size of the images, pixels: that of a 4:3 image in the detector's first look."""

MAP_WIDTH, MAP_HEIGHT = WIDTH // STRIDE, HEIGHT // STRIDE

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Example:
    """An image and the people in it.

    Attributes:
        pixels: (192, 256, 3) RGB.
        boxes_xyxy: (n, 4) around the whole bodies as far as they are in the image, in pixels,
            counted from its edges.
        counts: (n,) whether a person must be found; the others are ignored, found or not.
        knows_size: (n,) whether the box is accurate enough to learn from.
        weight: weight of the image.
    """

    pixels: Pixels
    boxes_xyxy: Floats
    counts: NDArray[np.bool_]
    knows_size: NDArray[np.bool_]
    weight: float = 1.0


@dataclass(frozen=True)
class ExampleWindow:
    """A part of an image, with the examples' aspect ratio; it may extend beyond the image.

    Attributes:
        left: its left edge, pixels of the image.
        top: its upper edge.
        scale: pixels of the example per pixel of the image.
    """

    left: float
    top: float
    scale: float

    def cut(self, rgb: Pixels, *, is_smooth: bool = True) -> Pixels:
        """Cut the window from an (h, w, ...) image or label map; pixels outside it are 0."""
        smooth = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        first = np.array([round(self.left), round(self.top)])
        size = np.array([round(WIDTH / self.scale), round(HEIGHT / self.scale)])
        low = first.clip(0)
        high = np.minimum(first + size, rgb.shape[1::-1])
        part = rgb[low[1] : max(high[1], low[1] + 1), low[0] : max(high[0], low[0] + 1)]
        left, top, right, bottom = np.rint(
            np.concatenate([low - first, high - first]) * self.scale
        ).astype(int)
        pixels = np.zeros((HEIGHT, WIDTH, *rgb.shape[2:]), rgb.dtype)
        space = pixels[top:bottom, left:right]
        if space.size and part.size:
            space[:] = cv2.resize(
                part, space.shape[1::-1], interpolation=smooth if is_smooth else cv2.INTER_NEAREST
            )
        return pixels

    def clip(self, boxes_xyxy: Floats) -> Floats:
        """Return boxes (n, 4) of the image clipped to the window, in the example's pixels."""
        corner = np.array([self.left, self.top] * 2)
        limits = np.array([WIDTH, HEIGHT] * 2)
        return np.asarray(((boxes_xyxy - corner) * self.scale).clip(0, limits))


def whole_image(width: int, height: int) -> ExampleWindow:
    """Return the window that shows a whole image, as `PersonDetector` sees it."""
    return ExampleWindow(0.0, 0.0, min(WIDTH / width, HEIGHT / height))
