"""Changes of images alone, which leave labels as they are."""

import torch
from torch import Generator, Tensor


def tint(images: Tensor, generator: Generator, colour: float) -> Tensor:
    """Return (b, 3, s, s) images of values 0 to 255 with each channel brighter or darker.

    Args:
        images: not changed.
        generator: on the CPU.
        colour: greatest change, as a share.
    """
    gain = 1 + colour * (2 * torch.rand(len(images), 3, 1, 1, generator=generator) - 1)
    return (images * gain).clamp(0, 255)


def blank(images: Tensor, generator: Generator, share: float) -> Tensor:
    """Return (b, 3, s, s) images, some with a rectangle in a plain colour.

    Args:
        images: not changed.
        generator: on the CPU.
        share: probability that an image loses a rectangle.
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
