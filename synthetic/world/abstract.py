"""Abstract backdrops: gradients, clouds and coloured shapes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from synthetic.noise import draw_choice, draw_uniform, make_clouds
from synthetic.noise import linear_from_srgb as linear


def draw_abstract(b: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """Return (b, 3, h, w) abstract backdrops, linear light: gradients, clouds, coloured shapes."""
    width, height = size
    tones = _draw_dull(b, 2, generator)
    clouds = make_clouds(b, size, generator, octaves=6, decay=0.75)
    ramp = torch.linspace(0, 1, height)[:, None] * torch.ones(width)
    images = torch.lerp(
        tones[:, 0],
        tones[:, 1],
        torch.where(torch.rand(b, 1, 1, 1, generator=generator) < 0.5, clouds, ramp),
    )
    x = torch.arange(width) / width
    y = torch.arange(height)[:, None] / height
    for tone in _draw_dull(b, 12, generator).unbind(1):
        at_x, at_y, angle = torch.rand(3, b, 1, 1, 1, generator=generator)
        reach = draw_uniform(0.02, 0.35, (2, b, 1, 1, 1), generator)
        cos, sin = (6.28 * angle).cos(), (6.28 * angle).sin()
        p = ((x - at_x) * cos + (y - at_y) * sin) / reach[0]
        q = ((y - at_y) * cos - (x - at_x) * sin) / reach[1]
        round_one = draw_choice((1, 1), b, generator).view(b, 1, 1, 1) == 1
        inside = torch.where(round_one, p * p + q * q, torch.maximum(p.abs(), q.abs())) < 1
        texture = 0.8 + 0.4 * clouds
        images = torch.where(inside, tone * texture, images)
    return linear(images.clamp(0, 1))


def _draw_dull(b: int, n: int, generator: Generator) -> Tensor:
    """Return (b, n, 3, 1, 1) display values, most of them nearer to grey than to pure colours."""
    tones = torch.rand(b, n, 3, 1, 1, generator=generator)
    grey = tones.mean(2, keepdim=True)
    return torch.lerp(grey, tones, torch.rand(b, n, 1, 1, 1, generator=generator))
