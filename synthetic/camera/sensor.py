"""Imperfections of a cheap camera: exposure, colour, blur, motion, noise, JPEG blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthetic.noise import draw_chance, draw_choice, draw_uniform

KERNEL = 9  # side of the blur's kernel, pixels
BLOCK = 8  # side of a JPEG block, pixels
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Sensors:
    """Imperfections of b cameras.

    Attributes:
        brightness: (b,) mean that the exposure aims at, display value in [0, 1].
        contrast: (b,) slope about the mean.
        balance: (b, 3) gains of red, green and blue.
        saturation: (b,) 0 for grey, 1 for unchanged.
        blur_px: (b,) standard deviation of the defocus.
        motion_px: (b, 2) camera's movement during the exposure, x and y.
        noise: (b,) standard deviation in mid-grey, display value.
        coarseness: (b,) step of the JPEG quantiser at the lowest frequency, display value.
    """

    brightness: Tensor
    contrast: Tensor
    balance: Tensor
    saturation: Tensor
    blur_px: Tensor
    motion_px: Tensor
    noise: Tensor
    coarseness: Tensor

    def to(self, device: torch.device | str) -> Sensors:
        """Return a copy on that device."""
        return Sensors(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def draw_sensors(
    b: int, generator: Generator, strength: float = 1.0, harsh: float = 0.0
) -> Sensors:
    """Draw b cameras from a CPU generator.

    Args:
        b: number of cameras.
        generator: the same seed gives the same cameras.
        strength: 0 gives perfect cameras, 1 the usual range.
        harsh: fraction of cameras with an imperfection beyond the usual range.
    """
    usual = _draw_usual(b, generator, strength)
    return _spoil(usual, harsh, generator) if harsh else usual


def _draw_usual(b: int, generator: Generator, strength: float) -> Sensors:

    def uniform(low: float, high: float) -> Tensor:
        return draw_uniform(low, high, (b,), generator)

    moving = draw_chance(0.25, (b, 1), generator)
    jitter = strength * torch.randn(b, 3, generator=generator)
    return Sensors(
        brightness=0.45 + strength * uniform(-0.17, 0.2),
        contrast=1 + strength * uniform(-0.25, 0.35),
        balance=1 + 0.05 * jitter,
        saturation=1 + strength * uniform(-0.45, 0.25),
        blur_px=strength * uniform(0.0, 1.0) ** 2 * 1.6,
        motion_px=strength * moving * torch.randn(b, 2, generator=generator) * 1.5,
        noise=strength * uniform(0.0, 1.0) ** 2 * 0.05,
        coarseness=strength * uniform(0.0, 1.0) ** 2 * 0.05,
    )


def _spoil(sensors: Sensors, share: float, generator: Generator) -> Sensors:
    """Give a fraction of cameras one fault each: dark, glaring, unsharp, shaken, grey, coarse."""
    b = len(sensors.brightness)
    kind = draw_choice((3, 2, 1.5, 1.5, 1, 2), b, generator)
    kind = torch.where(draw_chance(share, (b,), generator), kind, -1)
    dark, glaring, unsharp, shaken, grey, coarse = (kind == each for each in range(6))

    def either(where: Tensor, low: float, high: float, usual: Tensor) -> Tensor:
        return torch.where(where, draw_uniform(low, high, (b,), generator), usual)

    darkness = either(dark, 0.35, 0.75, torch.ones(b))
    warmth = either(dark, -0.25, 0.25, torch.zeros(b))[:, None] * torch.tensor([1.0, 0.0, -1.0])
    shake = functional.normalize(torch.randn(b, 2, generator=generator), dim=1)
    shake = shake * draw_uniform(3.0, 7.0, (b, 1), generator)
    return replace(
        sensors,
        brightness=either(glaring, 0.6, 0.8, sensors.brightness),
        contrast=either(glaring, 1.2, 1.7, sensors.contrast),
        balance=sensors.balance * darkness[:, None] * (1 + warmth),
        saturation=torch.where(grey, 0.0, sensors.saturation),
        blur_px=either(unsharp, 1.5, 2.5, sensors.blur_px),
        motion_px=torch.where(shaken[:, None], shake, sensors.motion_px),
        noise=either(dark, 0.02, 0.09, sensors.noise),
        coarseness=either(coarse, 0.05, 0.12, sensors.coarseness),
    )


def expose(images: Tensor, sensors: Sensors, generator: Generator) -> Tensor:
    """Apply the imperfections to images (b, 3, h, w), display values in [0, 1]; same shape.

    The generator (on the images' device) draws the noise.
    """
    images = _blur(images, sensors)
    mean = images.mean((1, 2, 3), keepdim=True).clamp(min=0.02)
    gain = (_column(sensors.brightness) / mean).clamp(0.6, 2.2)
    images = images * gain * sensors.balance[:, :, None, None]
    middle = _column(sensors.brightness)
    images = middle + _column(sensors.contrast) * (images - middle)
    grey = _luma(images)
    images = grey + _column(sensors.saturation) * (images - grey)
    images = _roll_off(images)
    random = torch.randn(
        images.shape, generator=generator, device=images.device, dtype=images.dtype
    )
    shot = (images.clamp(0, 1) + 0.1).sqrt() * 1.3
    images = images + _column(sensors.noise) * shot * random
    return compress(images, sensors.coarseness).clamp(0, 1)


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _luma(images: Tensor) -> Tensor:
    weights = images.new_tensor(LUMA)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def _roll_off(images: Tensor) -> Tensor:
    """Compress highlights above 0.8 towards 1 instead of clipping them."""
    over = (images - 0.8).clamp(min=0)
    return torch.minimum(images, images.new_tensor(0.8)) + 0.2 * torch.tanh(over / 0.2)


def _blur(images: Tensor, sensors: Sensors) -> Tensor:
    """Blur each image with its own kernel: a Gaussian stretched along the motion."""
    b, _, h, w = images.shape
    offset = torch.arange(KERNEL, device=images.device) - KERNEL // 2.0
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    spread = (sensors.blur_px.clamp(min=0.2) ** 2)[:, None, None]
    kernel = torch.zeros(b, KERNEL, KERNEL, device=images.device)
    for share in torch.linspace(-0.5, 0.5, 7).tolist():
        dx, dy = (sensors.motion_px * share).T[:, :, None, None]
        kernel = kernel + torch.exp(-((x - dx) ** 2 + (y - dy) ** 2) / (2 * spread))
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    weights = kernel.repeat_interleave(3, 0)[:, None]
    padded = functional.pad(images, (KERNEL // 2,) * 4, mode="replicate")
    blurred = functional.conv2d(padded.reshape(1, 3 * b, *padded.shape[2:]), weights, groups=3 * b)
    result: Tensor = blurred.view(b, 3, h, w)
    return result


def compress(images: Tensor, coarseness: Tensor) -> Tensor:
    """Quantise images (b, 3, h, w) as JPEG does: in the cosine basis of 8x8 blocks.

    Args:
        images: any size; the border is repeated up to a multiple of 8.
        coarseness: (b,) step at the lowest frequency, display value; 0 leaves an image unchanged.
    """
    h, w = images.shape[2:]
    padded = functional.pad(images, (0, -w % BLOCK, 0, -h % BLOCK), mode="replicate")
    grey = _luma(padded)
    planes = torch.cat((grey, padded - grey), 1)  # luma, and three differences of colour
    rows, columns = padded.shape[2] // BLOCK, padded.shape[3] // BLOCK
    blocks = planes.reshape(len(images), 4, rows, BLOCK, columns, BLOCK)
    place = torch.arange(BLOCK, device=images.device)
    basis = torch.cos(torch.pi * (place + 0.5) * place[:, None] / BLOCK) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    waves = torch.einsum("fy,bciyjx,gx->bcifjg", basis, blocks, basis)
    rise = 1 + 0.8 * (place[:, None] + place)  # higher frequencies are quantised more coarsely
    colour = images.new_tensor([1.0, 2.0, 2.0, 2.0])
    step = BLOCK * coarseness.clamp(min=1e-6)[:, None, None, None, None, None] / 2
    step = step * colour[:, None, None, None, None] * rise[:, None, :]
    waves = (waves / step).round() * step
    planes = torch.einsum("fy,bcifjg,gx->bciyjx", basis, waves, basis)
    planes = planes.flatten(4, 5).flatten(2, 3)[:, :, :h, :w]
    return planes[:, :1] + planes[:, 1:]
