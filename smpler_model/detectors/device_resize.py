"""Resizes images on their device, as OpenCV does on the CPU.

Shrinking averages areas, enlarging is bilinear: either is a product with a matrix for the rows and
one for the columns. PyTorch's own functions only weight whole pixels, or use other filters.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.inference.float32 import whole_float32

_KEPT = 64  # matrices: two for each size of an image and each look at it


def resize_on_device(image: Tensor, height: int, width: int) -> Tensor:
    """Return an image (h, w, 3) uint8 in another size, within a level of `cv2.resize`'s.

    Args:
        image: on any device.
        height: wanted height; both sides shrink, or both are enlarged.
        width: wanted width.
    """
    rows = _weights(image.shape[0], height, image.device)
    columns = _weights(image.shape[1], width, image.device)
    with torch.inference_mode(), whole_float32():
        planes = image.permute(2, 0, 1).float()
        resized = rows @ planes @ columns.T
        return resized.round().to(torch.uint8).permute(1, 2, 0)


@lru_cache(maxsize=_KEPT)
def _weights(given: int, wanted: int, device: torch.device) -> Tensor:
    """Return the (wanted, given) weights of pixels in each of the new ones."""
    values = _areas(given, wanted) if wanted < given else _neighbours(given, wanted)
    return torch.from_numpy(values).to(device)


def _areas(given: int, wanted: int) -> NDArray[np.float32]:
    """Return the shares of pixels in larger ones."""
    edges = np.linspace(0, given, wanted + 1)[:, None]
    first = np.arange(given)
    common = np.minimum(edges[1:], first + 1) - np.maximum(edges[:-1], first)
    return np.asarray(common.clip(0) * wanted / given, np.float32)


def _neighbours(given: int, wanted: int) -> NDArray[np.float32]:
    """Return the nearness of the two pixels beside each new one."""
    places = ((np.arange(wanted) + 0.5) * given / wanted - 0.5).clip(0, given - 1)[:, None]
    return np.asarray((1 - np.abs(places - np.arange(given))).clip(0), np.float32)
