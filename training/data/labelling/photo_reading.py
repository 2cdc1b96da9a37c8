"""Reads photos, without the dependencies of bags and videos."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.cameras.encodings import ImageError, decode_picture


def read_photo(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (h, w, 3) uint8 RGB, rotated according to EXIF.

    Raises:
        ValueError: the file is not an image.
        OSError: it cannot be read.
    """
    try:
        image = decode_picture(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except ImageError as error:
        raise ValueError(f"{path}: {error}") from None
    if image is None:
        raise ValueError(f"{path} must be an image file, got something else; remove or repair it")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
