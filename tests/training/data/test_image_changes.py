"""Image augmentations: their probabilities, and their dependence on the generator alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from training.data.image_changes import blank, coarsen, drain, hide_faces, tint

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


def heads_of(count: int) -> Tensor:
    """Neck and top of the head of people whose heads are 8 pixels high, at different places."""
    top = torch.rand(count, 2, generator=seeded(5)) - 0.5
    neck = top + torch.tensor([0.0, 0.5])
    return torch.cat((torch.stack((neck, top), 1), torch.ones(count, 2, 1)), -1)


def test_hidden_faces_are_a_few_plain_squares_and_nothing_else_changes() -> None:
    images, heads = pictures(40), heads_of(40)
    changed = hide_faces(images, heads, seeded(), 1.0)
    middles = (heads[..., :2].mean(1) + 1) * 16 - 0.5
    place = torch.arange(32)
    across, down = ((place - middles[:, k, None]).abs() <= 6 for k in (0, 1))
    square = (down[:, :, None] & across[:, None, :])[:, None].expand_as(images)
    assert torch.equal(changed[~square], images[~square])
    for each, inside in zip(changed, square, strict=True):
        assert len(each[0][inside[0]].unique()) <= 36  # of 144 pixels


def test_faces_are_hidden_in_the_requested_fraction_of_images() -> None:
    images = pictures(200)
    changed = (hide_faces(images, heads_of(200), seeded(), 0.3) != images).flatten(1).any(1)
    assert 30 < changed.sum() < 90


def test_faces_without_labels_stay_as_they_are() -> None:
    images, heads = pictures(8), heads_of(8)
    heads[:, 1, 2] = 0
    assert torch.equal(hide_faces(images, heads, seeded(), 1.0), images)
