"""Image augmentations: their probabilities, and their dependence on the generator alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from training.data.image_changes import blank, coarsen, drain, tint

Change = Callable[[Tensor, Generator, float], Tensor]

every_change = pytest.mark.parametrize("change", [blank, coarsen, drain, tint])


def pictures(count: int) -> Tensor:
    generator = Generator().manual_seed(3)
    return 255 * torch.rand(count, 3, 32, 32, generator=generator)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@every_change
def test_nothing_changes_at_probability_0(change: Change) -> None:
    images = pictures(8)
    torch.testing.assert_close(change(images, seeded(), 0.0), images)


@every_change
def test_equal_generators_give_equal_images_and_inputs_are_kept(change: Change) -> None:
    images = pictures(8)
    before = images.clone()
    first, again, other = (change(images, seeded(seed), 0.6) for seed in (1, 1, 2))
    assert torch.equal(images, before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first.min() >= 0, first.max() <= 255) == (True, True)


@pytest.mark.parametrize("change", [blank, coarsen, drain])
def test_the_requested_fraction_of_images_is_changed(change: Change) -> None:
    images = pictures(200)
    changed = (change(images, seeded(), 0.3) != images).flatten(1).any(1)
    assert 30 < changed.sum() < 90


def test_grey_images_have_equal_channels() -> None:
    grey = drain(pictures(4), seeded(), 1.0)
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 1], grey[:, 2])


def test_coarse_images_are_smooth_and_as_bright() -> None:
    images = pictures(16)
    coarse = coarsen(images, seeded(), 1.0)
    steps = [each.diff(dim=-1).abs().mean() for each in (coarse, images)]
    assert steps[0] < 0.6 * steps[1]
    torch.testing.assert_close(coarse.mean(), images.mean(), atol=2.0, rtol=0)
