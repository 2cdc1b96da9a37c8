"""Backdrops with the statistics of photos: objects of all sizes, occluding each other.

Overlapping shapes whose sizes follow a power law have the edges and the spectrum of photos ("dead
leaves"). Source: Lee, Mumford and Huang, "Occlusion Models for Natural Images", IJCV 2001.
Differs: shapes are of many kinds, and scenes have a horizon, light and a few tones.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from smpler_model.array_types import Floats
from synthetic.noise import draw_chance, draw_uniform, linear_from_srgb, make_clouds

_SHAPES = 250  # per image
_SMALLEST, _LARGEST = 0.02, 0.5  # radii, in sides of the image
_CORNERS = 7
_SUBPIXEL_BITS = 4
_TONES = 8


def draw_clutter(b: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """Return (b, 3, h, w) linear light of scenes full of objects, from a CPU generator."""
    tones = _draw_tones(b, generator)
    ground = _draw_ground(tones, size, generator)
    images = torch.stack([_cover(ground[i], tones[i], generator) for i in range(b)])
    fine = make_clouds(b, size, generator, octaves=7, decay=0.9)
    strength = draw_uniform(0.0, 0.3, (b, 1, 1, 1), generator)
    broad = make_clouds(b, size, generator, octaves=2)
    light = (1 + strength * (fine - 0.5)) * (0.6 + 0.8 * broad)
    return linear_from_srgb((images * light).clamp(0, 1))


def _draw_tones(b: int, generator: Generator) -> Tensor:
    """Return (b, tones, 3) display values: similar within a scene, mostly dull."""
    tones = torch.rand(b, _TONES, 3, generator=generator)
    grey = tones.mean(2, keepdim=True)
    tones = torch.lerp(grey, tones, torch.rand(b, _TONES, 1, generator=generator) ** 4)
    cast = draw_uniform(0.85, 1.15, (b, 1, 3), generator)
    return (tones * cast).clamp(0.02, 1)


def _draw_ground(tones: Tensor, size: tuple[int, int], generator: Generator) -> Tensor:
    """Return (b, h, w, 3): the far background, and the ground below a horizon."""
    (width, height), b = size, len(tones)
    horizon = draw_uniform(0.2, 1.1, (b, 1, 1, 1), generator)
    slope = 0.1 * torch.randn(b, 1, 1, 1, generator=generator)
    across = torch.linspace(-0.5, 0.5, width)[None, None, :, None]
    down = torch.linspace(0, 1, height)[None, :, None, None] + slope * across
    bright = draw_chance(0.4, (b, 1, 1, 1), generator)  # a sky, a lit wall
    far = torch.where(bright, 0.7 + 0.3 * tones[:, None, None, 0], tones[:, None, None, 0])
    return torch.where(down > horizon, tones[:, None, None, 1], far).float().contiguous()


def _cover(ground: Tensor, tones: Tensor, generator: Generator) -> Tensor:
    """Draw shapes over an image (h, w, 3), the later ones on top; return (3, h, w)."""
    image = np.ascontiguousarray(ground.numpy())
    outlines = _draw_outlines(ground.shape[:2], generator)
    number = int(draw_uniform(0.1, 1.0, (1,), generator) * _SHAPES)
    pick = torch.randint(len(tones), (number,), generator=generator)
    shade = draw_uniform(0.3, 1.3, (number, 1), generator)
    colours = tones[pick] * shade + 0.02 * torch.randn(number, 3, generator=generator)
    for outline, colour in zip(outlines[:number], colours.clamp(0, 1).tolist(), strict=True):
        cv2.fillPoly(image, [outline], colour, cv2.LINE_AA, _SUBPIXEL_BITS)
    return torch.from_numpy(image).permute(2, 0, 1)


def _draw_outlines(shape: tuple[int, ...], generator: Generator) -> NDArray[np.int32]:
    """Return (shapes, corners, 2) x and y, in fixed point: upright objects, rags and rods."""
    height, width = shape
    rank = torch.rand(_SHAPES, 1, 1, generator=generator)
    # The density of radii falls with their cube, between the smallest and the largest.
    small, large = _SMALLEST**-2, _LARGEST**-2
    radius = (small + rank * (large - small)) ** -0.5
    middle = torch.rand(_SHAPES, 1, 2, generator=generator) * 1.2 - 0.1
    angles = torch.rand(_SHAPES, _CORNERS, generator=generator).sort(1).values * 2 * torch.pi
    ragged = torch.stack((angles.cos(), angles.sin()), 2)
    ragged = ragged * draw_uniform(0.5, 1.0, (_SHAPES, _CORNERS, 1), generator)
    square = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [-1, 1], [-1, 1], [-1, 1]])
    boxed = draw_chance(0.6, (_SHAPES, 1, 1), generator)
    corners = torch.where(boxed, square, ragged)
    stretch = (0.7 * torch.randn(_SHAPES, 1, 2, generator=generator)).exp()
    lean = draw_uniform(-1.0, 1.0, (_SHAPES, 1), generator) ** 7 * torch.pi / 2
    x, y = (corners * stretch).unbind(2)
    turned = torch.stack((lean.cos() * x - lean.sin() * y, lean.sin() * x + lean.cos() * y), 2)
    places: Floats = (middle + radius * turned).double().numpy() * (width, height)
    limit = 8 * max(width, height)
    return np.asarray(places.clip(-limit, limit) * 2**_SUBPIXEL_BITS, np.int32)
