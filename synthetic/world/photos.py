"""Photos as backgrounds: windows of the user's photos, away from the people in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from smpler_model.array_types import Floats
from synthetic.noise import draw_chance, draw_uniform, linear_from_srgb

_PHOTOS, _WINDOWS = 4, 24  # number tried
_MOST_COVERED = 0.1  # fraction of a window that people may cover; otherwise others are tried
_LEAST_SHARE = 0.3  # smallest window as a fraction of the photo's shorter side
_LEAST_PX = 48


@dataclass(frozen=True)
class ScenePhoto:
    """A photo.

    Attributes:
        path: path of the image.
        boxes_xyxy: (n, 4) boxes of the people in it, pixels; empty if none are known.
    """

    path: Path
    boxes_xyxy: Floats


class ScenePhotos:
    """Photos to draw backgrounds from; they are read when drawn."""

    def __init__(self, photos: Sequence[ScenePhoto]) -> None:
        """Store the photos.

        Raises:
            ValueError: there are none.
        """
        if not photos:
            raise ValueError("backgrounds must be photos, got none; give a folder with photos")
        self.photos = tuple(photos)

    def draw(self, b: int, side: int, generator: Generator) -> Tensor:
        """Draw (b, 3, side, side) linear light from a CPU generator: a window of a photo each.

        Raises:
            ValueError: a photo cannot be read.
        """
        windows = torch.stack([self._draw_one(side, generator) for _ in range(b)])
        mirrored = draw_chance(0.5, (b, 1, 1, 1), generator)
        windows = torch.where(mirrored, windows.flip(3), windows)
        gain = draw_uniform(0.7, 1.3, (b, 1, 1, 1), generator)
        return linear_from_srgb(windows) * gain

    def _draw_one(self, side: int, generator: Generator) -> Tensor:
        """Return (3, side, side) display values."""
        rows = torch.randint(len(self.photos), (_PHOTOS,), generator=generator).tolist()
        least, best = _draw_window(self.photos[rows[0]], generator)
        for row in rows[1:]:
            if least <= _MOST_COVERED:
                break
            least, best = min(
                (least, best), _draw_window(self.photos[row], generator), key=lambda pair: pair[0]
            )
        how = cv2.INTER_AREA if len(best) > side else cv2.INTER_LINEAR
        scaled = cv2.resize(best, (side, side), interpolation=how)
        return torch.from_numpy(scaled).permute(2, 0, 1).float() / 255


def _draw_window(photo: ScenePhoto, generator: Generator) -> tuple[float, NDArray[np.uint8]]:
    """Return the best of several windows (s, s, 3) RGB, and the fraction covered by people."""
    image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"backgrounds must be images, got {photo.path} unreadable; remove it")
    height, width = image.shape[:2]
    shorter = min(height, width)
    least = min(max(_LEAST_SHARE * shorter, _LEAST_PX), shorter)
    sides = draw_uniform(least, shorter, (_WINDOWS,), generator).floor()
    room = torch.tensor([width, height]) - sides[:, None]
    corner = (torch.rand(_WINDOWS, 2, generator=generator) * room).floor()
    squares = torch.cat((corner, corner + sides[:, None]), 1).int().numpy()
    covered = _cover(squares, photo.boxes_xyxy)
    best = covered.argmin()
    left, top, right, bottom = squares[best]
    window = np.asarray(image[top:bottom, left:right, ::-1], np.uint8)
    return float(covered[best]), window


def _cover(squares: NDArray[np.int32], boxes: Floats) -> Floats:
    """Return (n,) the fraction of each square covered by boxes (m, 4), overlaps counted twice."""
    low = np.maximum(squares[:, None, :2], boxes[:, :2])
    high = np.minimum(squares[:, None, 2:], boxes[:, 2:])
    common = (high - low).clip(0).prod(2).sum(1)
    shares: Floats = common / (squares[:, 2:] - squares[:, :2]).prod(1)
    return shares
