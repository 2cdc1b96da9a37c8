"""Random numbers: smooth noise in space and over images, and draws from distributions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional

LATTICE = 32  # nodes along each side of a noise volume


def make_volume(generator: Generator, channels: int = 4) -> Tensor:
    """Return (1, channels, 32, 32, 32) independent uniform numbers in [-1, 1]."""
    return torch.rand(1, channels, LATTICE, LATTICE, LATTICE, generator=generator) * 2 - 1


def sample_volume(volume: Tensor, points: Tensor) -> Tensor:
    """Return (n, c) smooth noise at points (n, 3), with one lattice step per unit of length."""
    grid = points.to(volume.dtype) * (2 / (LATTICE - 1))
    values = functional.grid_sample(
        volume, grid[None, None, None], padding_mode="reflection", align_corners=True
    )
    return values.view(volume.shape[1], -1).T


def make_clouds(
    b: int, size: tuple[int, int], generator: Generator, octaves: int = 5, decay: float = 0.55
) -> Tensor:
    """Return (b, 1, h, w) images of noise in [0, 1]: octaves from the coarsest, each weaker."""
    width, height = size
    total = torch.zeros(b, 1, height, width)
    for octave in range(octaves):
        cells = 2 ** (octave + 1)
        lattice = torch.randn(b, 1, cells + 1, cells + 1, generator=generator)
        total += decay**octave * functional.interpolate(
            lattice, (height, width), mode="bilinear", align_corners=True
        )
    return torch.sigmoid(1.5 * total)


def draw_uniform(
    low: float | Tensor, high: float | Tensor, shape: Sequence[int], generator: Generator
) -> Tensor:
    """Return uniform numbers of this shape between low and high."""
    return low + (high - low) * torch.rand(*shape, generator=generator)


def draw_chance(probability: float, shape: Sequence[int], generator: Generator) -> Tensor:
    """Return bools of this shape, True with this probability."""
    return torch.rand(*shape, generator=generator) < probability


def draw_choice(weights: Sequence[float], n: int, generator: Generator) -> Tensor:
    """Return n indices drawn in proportion to the weights."""
    shares = torch.tensor(weights, dtype=torch.float32)
    return torch.multinomial(shares, n, replacement=True, generator=generator)


def linear_from_srgb(colour: Tensor) -> Tensor:
    """Return light intensities for display values in [0, 1]; gamma 2 instead of sRGB's 2.2."""
    return colour * colour


def srgb_from_linear(intensity: Tensor) -> Tensor:
    """Return display values in [0, 1], the inverse of `linear_from_srgb`."""
    return intensity.clamp(0, 1).sqrt()
