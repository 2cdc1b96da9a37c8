"""The crops with which a backend is checked: four drawn people, shipped with the package."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

CHECK_CROPS_PATH = Path(__file__).parents[1] / "data" / "check_crops.jpg"
"""Written by `python -m synthetic.check_crops`."""

CHECK_CROPS_SIDE = 224


def load_check_crops(side: int) -> NDArray[np.uint8]:
    """Return the crops (4, side, side, 3), uint8 RGB.

    Args:
        side: side to return, pixels.

    Raises:
        FileNotFoundError: the file is missing from the installation.
    """
    row = cv2.imdecode(np.frombuffer(CHECK_CROPS_PATH.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    rgb = cv2.cvtColor(np.asarray(row), cv2.COLOR_BGR2RGB)
    crops = np.split(rgb, rgb.shape[1] // CHECK_CROPS_SIDE, axis=1)
    resized = [cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.stack(resized).astype(np.uint8)
