"""One colour per person, the same in overlays, in markers and in every run."""

import colorsys

import numpy as np
from numpy.typing import ArrayLike, NDArray

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

_GOLDEN_RATIO = (5**0.5 - 1) / 2
_SATURATION, _VALUE = 0.6, 0.95


def colours_of(ids: ArrayLike) -> NDArray[np.uint8]:
    """Return the colours of people.

    Steps of the golden ratio through the hues keep consecutive ids distinguishable.

    Args:
        ids: (n) track ids.

    Returns:
        (n, 3) RGB, 0 to 255.
    """
    hues = (np.asarray(ids, np.int64) * _GOLDEN_RATIO) % 1
    colours = [colorsys.hsv_to_rgb(hue, _SATURATION, _VALUE) for hue in hues.tolist()]
    return np.asarray(np.rint(255 * np.array(colours).reshape(-1, 3)), np.uint8)
