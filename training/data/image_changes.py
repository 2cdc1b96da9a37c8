"""Augmentations of images that leave the labels unchanged."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luminance, as in JPEG."""

_COARSEST = 4.0


def tint(images: Tensor, generator: Generator, colour: float) -> Tensor:
    """Scale each channel of (b, 3, s, s) images with values 0 to 255.

    Args:
        images: the images, which are not modified.
        generator: generator on the CPU.
        colour: largest relative change.
    """
    gain = 1 + colour * (2 * torch.rand(len(images), 3, 1, 1, generator=generator) - 1)
    return (images * gain).clamp(0, 255)


def blank(images: Tensor, generator: Generator, share: float) -> Tensor:
    """Blank a rectangle with a plain colour in some of (b, 3, s, s) images.

    Args:
        images: the images, which are not modified.
        generator: generator on the CPU.
        share: probability that an image gets a rectangle.
    """
    b, _, _, side = images.shape
    reach = torch.rand(b, 4, generator=generator) * side
    chosen = torch.rand(b, generator=generator) < share
    place = torch.arange(side)
    across, down = (
        (place - reach[:, k, None]).abs() < 0.15 * reach[:, k + 2, None] for k in (0, 1)
    )
    hole = (across[:, None, :] & down[:, :, None] & chosen[:, None, None])[:, None]
    plain = 255 * torch.rand(b, 3, 1, 1, generator=generator)
    return torch.where(hole, plain, images)


def drain(images: Tensor, generator: Generator, share: float) -> Tensor:
    """Turn some of (b, 3, s, s) images grey.

    Args:
        images: the images, which are not modified.
        generator: generator on the CPU.
        share: probability that an image turns grey.
    """
    chosen = torch.rand(len(images), generator=generator) < share
    grey = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return torch.where(chosen[:, None, None, None], grey, images)


def coarsen(images: Tensor, generator: Generator, share: float) -> Tensor:
    """Reduce the resolution of some of (b, 3, s, s) images, as if they were taken from far away.

    Args:
        images: the images, which are not modified.
        generator: generator on the CPU.
        share: probability that an image is reduced, by a factor of up to four.
    """
    chosen = (torch.rand(len(images), generator=generator) < share).nonzero()[:, 0]
    factor = 1 + (_COARSEST - 1) * float(torch.rand(1, generator=generator))
    if not len(chosen):
        return images
    side = images.shape[-1]
    fewer = max(2, round(side / factor))
    small = F.interpolate(images[chosen], size=(fewer, fewer), mode="bilinear", antialias=True)
    changed = images.clone()
    changed[chosen] = F.interpolate(small, size=(side, side), mode="bilinear")
    return changed
