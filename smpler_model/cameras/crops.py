"""Square crops around boxes, each made by one invertible warp.

Images are (h, w, 3) uint8 RGB; the centre of the top left pixel is (0, 0). A crop spans [-1, 1] in
both directions, y down, from the outer edge of its first pixel to that of its last.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats, Integers, RgbImage

Pixels_co = TypeVar("Pixels_co", covariant=True)
"""`RgbImage`, or a tensor on a device; see `device_crops`."""

CROP_MARGIN = 1.2
"""Ratio of a crop's side to the box's longer side, as in SMPLer's training data."""

_SMALLEST_SIDE_PX = 2.0


@dataclass(frozen=True)
class Squares:
    """n squares in an image, which may reach out of it.

    Attributes:
        centres_px: (n, 2) pixels.
        sizes_px: (n) length of a side, pixels.
    """

    centres_px: Floats
    sizes_px: Floats

    def select(self, rows: NDArray[np.intp]) -> "Squares":
        """Return some of the squares."""
        return Squares(self.centres_px[rows], self.sizes_px[rows])


@dataclass(frozen=True)
class Crops(Generic[Pixels_co]):
    """n square crops of one image.

    Attributes:
        pixels: (n, side, side, 3) uint8 RGB; black outside the image.
        centres_px: (n, 2) in the image, pixels.
        sizes_px: (n) side length in the image, pixels.
    """

    pixels: Pixels_co
    centres_px: Floats
    sizes_px: Floats

    def __len__(self) -> int:
        return len(self.sizes_px)

    def image_from_crop(self, points: ArrayLike) -> Floats:
        """Transform points from the crops to the image.

        Args:
            points: (n, ..., 2) in [-1, 1] over the crops.

        Returns:
            (n, ..., 2) pixels of the image.
        """
        array = np.asarray(points, np.float64)
        ones = (1,) * (array.ndim - 2)
        half = (self.sizes_px / 2).reshape(-1, *ones, 1)
        return self.centres_px.reshape(-1, *ones, 2) + half * array

    def crop_from_image(self, points_px: ArrayLike) -> Floats:
        """Transform pixels (n, ..., 2) of the image to the crops; inverse of `image_from_crop`."""
        array = np.asarray(points_px, np.float64)
        ones = (1,) * (array.ndim - 2)
        half = (self.sizes_px / 2).reshape(-1, *ones, 1)
        return (array - self.centres_px.reshape(-1, *ones, 2)) / half


def cut_crops(
    rgb: RgbImage, boxes_xyxy: ArrayLike, side: int, *, margin: float = CROP_MARGIN
) -> Crops[RgbImage]:
    """Cut a square crop around each box.

    Args:
        rgb: (h, w, 3) image.
        boxes_xyxy: (n, 4) left, top, right, bottom in pixels; they may exceed the image.
        side: side of the crops, pixels.
        margin: side of the square over the longer side of the box.

    Raises:
        ValueError: the image is not (h, w, 3) uint8.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise ValueError(
            f"the image must be (h, w, 3) uint8 with pixels, got {rgb.shape} {rgb.dtype}; convert "
            "it first"
        )
    squares = squares_around(boxes_xyxy, margin)
    centres, sizes = squares.centres_px, squares.sizes_px
    steps = shrink_steps(sizes, side).tolist()
    pixels = np.empty((len(sizes), side, side, 3), np.uint8)
    shrunk: dict[int, RgbImage] = {1: rgb}
    for crop, centre, size, step in zip(pixels, centres, sizes, steps, strict=True):
        if step not in shrunk:
            shrunk[step] = _shrink(rgb, step)
        crop_px = size / side  # image pixels per crop pixel
        source_from_crop = np.array(
            [
                [crop_px, 0, centre[0] + (crop_px - size) / 2],
                [0, crop_px, centre[1] + (crop_px - size) / 2],
            ]
        )
        source_from_crop /= step
        source_from_crop[:, 2] += (1 / step - 1) / 2  # pixel centres of the shrunk image
        cv2.warpAffine(
            shrunk[step],
            source_from_crop,
            (side, side),
            dst=crop,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
    return Crops(pixels, centres, sizes)


def squares_around(boxes_xyxy: ArrayLike, margin: float) -> Squares:
    """Return a square around each of (n, 4) boxes, `margin` times their longer side."""
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(1, initial=0) * margin
    return Squares(centres, np.maximum(sizes, _SMALLEST_SIDE_PX))


def shrink_steps(sizes_px: Floats, side: int) -> Integers:
    """Return by how much an image is shrunk by areas before squares (n) are sampled: powers of 2.

    Bilinear sampling skips pixels when it shrinks by more than two.
    """
    return 2 ** np.maximum(np.log2(sizes_px / side), 0).astype(np.int64)


def _shrink(rgb: RgbImage, step: int) -> RgbImage:
    below, right = (-length % step for length in rgb.shape[:2])
    if below or right:
        bordered = cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REPLICATE)
        rgb = np.asarray(bordered, np.uint8)
    size = (rgb.shape[1] // step, rgb.shape[0] // step)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
