"""Sampling feature maps at and around image positions."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH_RADIUS = 4
"""A patch spans 8x8 pixels: offsets -3 to 4 from the pixel at the upper left of its position."""


@dataclass(frozen=True)
class Patches:
    """Pixels of a map around k positions.

    Attributes:
        features: (b, k, 64, c).
        offsets: (b, k, 64, 2) from the position to the pixel, in pixels of the map, x then y.
    """

    features: Tensor
    offsets: Tensor

    @property
    def count(self) -> int:
        """Number k of positions."""
        return self.features.shape[1]


def sample_map(feature_map: Tensor, positions: Tensor) -> Tensor:
    """Interpolate a map bilinearly; zero outside.

    Args:
        feature_map: (b, h, w, c).
        positions: (b, k, 2), x then y; -1 and 1 are the centres of the outermost pixels.

    Returns:
        (b, k, c).
    """
    channels_first = feature_map.permute(0, 3, 1, 2)
    sampled = F.grid_sample(channels_first, positions[:, :, None], align_corners=True)
    return sampled.squeeze(3).transpose(1, 2)  # (b, c, k, 1) -> (b, k, c)


def sample_patches(feature_map: Tensor, positions: Tensor) -> Patches:
    """Cut the 8x8 pixels around each position out of a map, by nearest neighbour.

    A pixel outside the map is replaced by the nearest one on the border, and so is its offset.

    Args:
        feature_map: (b, side, side, c).
        positions: (b, k, 2), as for `sample_map`.
    """
    b, side, _, _ = feature_map.shape  # people, pixels
    pixels = (positions + 1) / 2 * (side - 1)  # (b, k, 2)
    steps = torch.arange(1 - PATCH_RADIUS, PATCH_RADIUS + 1, device=positions.device)
    window = torch.cartesian_prod(steps, steps).flip(-1)  # (64, 2), row by row, x then y
    # Clamped as integers, so that a non-finite position stays inside the map as well.
    near = (pixels[:, :, None].floor().long() + window).clamp(0, side - 1)  # (b, k, 64, 2)
    people = torch.arange(b, device=positions.device)[:, None, None]
    features = feature_map[people, near[..., 1], near[..., 0]]  # (b, k, 64, c)
    return Patches(features, near - pixels[:, :, None])
