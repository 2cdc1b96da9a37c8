"""Square crops on the device of the network, from an image that was uploaded once.

They equal those of `crops.cut_crops`, which OpenCV cuts on the CPU, to within a rounding level or
two. OpenCV 4 places its samples on a grid of 1/32 pixel, OpenCV 5 exactly; with OpenCV 4, the
crops also differ at sharp edges, by up to 1/64 of the step in brightness.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from smpler_model.cameras.crops import CROP_MARGIN, Crops, Squares, shrink_steps, squares_around


def upload(rgb: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return an image (h, w, 3) on a device.

    On a GPU it goes through pinned memory, and nothing waits for it. PyTorch keeps such memory for
    later images, and hands it out again only when the copy is done.
    """
    staged = torch.empty(rgb.shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
    np.copyto(staged.numpy(), rgb)
    return staged.to(device, non_blocking=True)


def cut_crops_on_device(
    image: Tensor, boxes_xyxy: ArrayLike, side: int, *, margin: float = CROP_MARGIN
) -> Crops[Tensor]:
    """Cut a square around each box.

    Args:
        image: (h, w, 3) uint8 RGB, on any device.
        boxes_xyxy: (n, 4) left, top, right, bottom in pixels; they may reach out of the image.
        side: side of the crops, pixels.
        margin: side of the square over the longer side of the box.

    Returns:
        Crops whose pixels are a tensor (n, side, side, 3) uint8 on the device of the image.

    Raises:
        ValueError: the image is not (h, w, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != torch.uint8 or 0 in image.shape:
        raise ValueError(
            f"the image must be (h, w, 3) uint8 with pixels, got {tuple(image.shape)} "
            f"{image.dtype}; convert it first"
        )
    squares = squares_around(boxes_xyxy, margin)
    steps = shrink_steps(squares.sizes_px, side)
    planes = image.permute(2, 0, 1)[None].float()  # (1, 3, h, w)
    pixels = torch.empty((len(steps), side, side, 3), dtype=torch.uint8, device=image.device)
    for step in np.unique(steps).tolist():
        rows = np.flatnonzero(steps == step)
        cut = _sample(_shrink(planes, step), squares.select(rows), side, step)
        pixels.index_copy_(0, _to_device(rows, image.device), cut)
    return Crops(pixels, squares.centres_px, squares.sizes_px)


def _shrink(planes: Tensor, step: int) -> Tensor:
    """(1, 3, h, w) -> a step times smaller, mean of each block; the last ones are filled up."""
    if step == 1:
        return planes
    height, width = planes.shape[2:]
    padded = F.pad(planes, (0, -width % step, 0, -height % step), mode="replicate")
    return F.avg_pool2d(padded, step).round()


def _sample(planes: Tensor, squares: Squares, side: int, step: int) -> Tensor:
    """Sample (1, 3, h, w) planes bilinearly, black beside them: (n, side, side, 3) uint8."""
    n = len(squares.sizes_px)
    height, width = planes.shape[2:]
    crop_px = squares.sizes_px / side  # pixels of the image in a pixel of the crop
    first = squares.centres_px + (crop_px - squares.sizes_px)[:, None] / 2  # its first pixel
    # Pixels of the shrunk image, counted from its edge; then as grid_sample has it, -1 to 1.
    size = np.array([width, height], np.float64)
    origin = ((first + 0.5) / step) * (2 / size) - 1
    stride = (crop_px / step)[:, None] * (2 / size)
    numbers = np.concatenate([origin, stride], 1).astype(np.float32)
    origins, strides = torch.split(_to_device(numbers, planes.device), 2, 1)  # (n, 2) each
    places = torch.arange(side, device=planes.device, dtype=torch.float32)
    x, y = (origins[:, i, None] + strides[:, i, None] * places for i in (0, 1))  # (n, side) each
    grid = torch.stack((x[:, None].expand(n, side, side), y[:, :, None].expand(n, side, side)), -1)
    sampled = F.grid_sample(planes, grid.reshape(1, n * side, side, 2), align_corners=False)
    return sampled[0].reshape(3, n, side, side).permute(1, 2, 3, 0).round().to(torch.uint8)


def _to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    staged = torch.from_numpy(array)
    if device.type == "cuda":
        staged = staged.pin_memory()
    return staged.to(device, non_blocking=True)
