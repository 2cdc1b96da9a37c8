"""Augmentations of images that leave the labels unchanged."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luminance, as in JPEG."""

_COARSEST = 4.0
_HEAD_REACH = 0.75
"""Half the side of a head's square over the distance from the neck to the top of the head."""


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


def hide_faces(images: Tensor, heads: Tensor, generator: Generator, share: float) -> Tensor:
    """Pixelate the heads in some of (b, 3, s, s) images, as anonymised videos do.

    Args:
        images: the images, which are not modified.
        heads: (b, 2, 3) neck and top of the head in the crop, [-1, 1], y down, with confidence;
            images where one of them is unknown stay as they are.
        generator: generator on the CPU.
        share: probability that an image's head is pixelated, into two to five squares across.
    """
    b, _, _, side = images.shape
    chosen = torch.rand(b, generator=generator) < share
    across = torch.randint(2, 6, (b,), generator=generator)
    ends = (heads[..., :2] + 1) * (side / 2) - 0.5  # pixels
    centres = ends.mean(1)
    half = _HEAD_REACH * torch.linalg.vector_norm(ends[:, 1] - ends[:, 0], dim=-1)
    block = (2 * half / across).clamp(min=1.0)
    place = torch.arange(side)
    apart = place - centres[..., None]  # (b, 2, side)
    known = (heads[..., 2] > 0).all(1)
    inside = (apart.abs() <= half[:, None, None]) & (chosen & known)[:, None, None]
    # Each pixel of the square takes the colour at the middle of its block in a blurred image.
    middles = ((apart / block[:, None, None]).floor() + 0.5) * block[:, None, None]
    seen = torch.where(inside, middles + centres[..., None], place).round().long()
    columns, rows = seen.clamp(0, side - 1).unbind(1)
    blurred = F.avg_pool2d(images, 5, 1, 2, count_include_pad=False)
    hidden = inside[:, :1] & inside[:, 1:].transpose(1, 2)  # (b, side, side)
    people = torch.arange(b)[:, None, None]
    squares = blurred.movedim(1, -1)[people, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
    return torch.where(hidden[:, None], squares, images)
