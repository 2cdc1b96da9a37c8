"""Foregrounds that occlude people: boxes, poles, table tops, leaves, and the image's border."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from synthetic.noise import (
    draw_chance,
    draw_choice,
    draw_uniform,
    linear_from_srgb,
    make_clouds,
)

BOX, ELLIPSE, POLE, TABLE, LEAVES = range(5)


@dataclass(frozen=True)
class Occlusion:
    """Foregrounds of b images.

    Attributes:
        colour: (b, 3, h, w) linear light.
        mask: (b, h, w) True where it hides the scene.
    """

    colour: Tensor
    mask: Tensor

    def cover(self, images: Tensor) -> Tensor:
        """Return images (b, 3, h, w), linear light, behind the foreground."""
        return torch.where(self.mask[:, None], self.colour, images)


def draw_occlusion(
    b: int,
    size: tuple[int, int],
    generator: Generator,
    *,
    pieces: int = 3,
    presence: float = 0.2,
    truncation: float = 0.07,
    texture: Tensor | None = None,
) -> Occlusion:
    """Draw foregrounds from a CPU generator.

    Args:
        b: number of images.
        size: width and height, pixels.
        generator: the same seed gives the same foregrounds.
        pieces: maximum number of pieces per image.
        presence: probability of each piece.
        truncation: probability, for each side, that the scene ends in black inside the image, like
            a crop that extends beyond its photo.
        texture: (b, 3, h, w) linear light of the pieces; None for clouds of one tone.
    """
    width, height = size
    x = (torch.arange(width) + 0.5) / width
    y = (torch.arange(height)[:, None] + 0.5) / height
    clouds = make_clouds(b, size, generator, octaves=7, decay=0.85)
    mask = torch.zeros(b, height, width, dtype=torch.bool)
    colour = torch.zeros(b, 3, height, width)
    for _ in range(pieces):
        inside = _draw_piece(x, y, clouds[:, 0], generator)
        inside &= draw_chance(presence, (b, 1, 1), generator)
        tone = draw_uniform(0.03, 0.95, (b, 1, 1, 1), generator)
        tone = tone * draw_uniform(0.6, 1.0, (b, 3, 1, 1), generator)
        contrast = draw_uniform(0.0, 0.8, (b, 1, 1, 1), generator)
        clouded = linear_from_srgb((tone * (1 + contrast * (clouds - 0.5))).clamp(0, 1))
        look = clouded if texture is None else texture
        colour = torch.where(inside[:, None], look, colour)
        mask |= inside
    border = _draw_border(x, y, truncation, b, generator)
    return Occlusion(torch.where(border[:, None], 0.0, colour), mask | border)


def _draw_border(x: Tensor, y: Tensor, truncation: float, b: int, generator: Generator) -> Tensor:
    """Return (b, h, w) True outside of the photo, at any of the four sides."""
    cut = draw_uniform(0.02, 0.35, (b, 4), generator)
    cut = cut * draw_chance(truncation, (b, 4), generator)
    left, top, right, bottom = cut.T[:, :, None, None]
    border: Tensor = (x < left) | (x > 1 - right) | (y < top) | (y > 1 - bottom)
    return border


def _draw_piece(x: Tensor, y: Tensor, clouds: Tensor, generator: Generator) -> Tensor:
    """Return (b, h, w) True inside one random shape per image."""
    b = len(clouds)
    at = torch.rand(2, b, 1, 1, generator=generator)
    reach = draw_uniform(0.05, 0.3, (2, b, 1, 1), generator)
    angle = draw_uniform(-0.4, 0.4, (b, 1, 1), generator)
    along = (x - at[0]) * angle.cos() + (y - at[1]) * angle.sin()
    across = (y - at[1]) * angle.cos() - (x - at[0]) * angle.sin()
    p, q = along / reach[0], across / reach[1]
    ellipse = p.square() + q.square()
    slab = ((y > 0.45 + at[1] / 2) & (y < 0.5 + at[1] / 2 + reach[1] / 6)) & (p.abs() < 2)
    leg = (y > 0.5 + at[1] / 2) & (p.abs() < 0.08)
    kinds = torch.stack(
        (
            torch.maximum(p.abs(), q.abs()) < 1,
            ellipse < 1,
            (along.abs() < reach[0] / 5).expand(b, *clouds.shape[1:]),
            slab | leg,
            (ellipse < 4) & (clouds > 0.55),
        )
    )
    kind = draw_choice((3, 1, 2, 2, 1), b, generator)
    return kinds[kind, torch.arange(b)]
