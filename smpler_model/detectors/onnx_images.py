"""Images as detectors in ONNX files expect them: resized to the input, pixels scaled."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, RgbImage
from smpler_model.network.config import IMAGENET_MEAN, IMAGENET_STD

Scaling = Literal["bgr_bytes", "bgr_imagenet", "rgb_unit", "rgb_imagenet"]

_GREY = 114


def fit_image(
    rgb: RgbImage, size: tuple[int, int], *, letterboxed: bool
) -> tuple[RgbImage, Floats]:
    """Resize an image to a network's input.

    Args:
        rgb: (h, w, 3).
        size: (height, width) of the result.
        letterboxed: keep the aspect ratio, with the image top left and grey padding; else stretch.

    Returns:
        (height, width, 3) pixels, and the (2) factors by which x and y of edges were multiplied.
    """
    (height, width), (rows, columns) = rgb.shape[:2], size
    if letterboxed:
        if height * columns > width * rows:
            columns = max(1, width * rows // height)
        else:
            rows = max(1, height * columns // width)
    resized = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_LINEAR)
    fitted = np.full((*size, 3), _GREY, np.uint8)
    fitted[:rows, :columns] = resized
    return fitted, np.array([columns / width, rows / height])


def scale_pixels(rgb: RgbImage, scaling: Scaling) -> NDArray[np.float32]:
    """Turn (h, w, 3) bytes into the numbers that the network was trained with, channels last."""
    pixels = rgb.astype(np.float32)
    if scaling == "bgr_bytes":
        return pixels[..., ::-1]
    pixels /= 255
    if scaling.endswith("imagenet"):
        pixels -= np.asarray(IMAGENET_MEAN, np.float32)
        pixels /= np.asarray(IMAGENET_STD, np.float32)
    return pixels[..., ::-1] if scaling.startswith("bgr") else pixels
