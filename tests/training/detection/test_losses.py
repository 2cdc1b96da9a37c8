"""Targets and losses: an answer that says what the targets say costs nothing."""

import numpy as np
import torch
from torch import Tensor

from training.detection.examples import HEIGHT, MAP_HEIGHT, MAP_WIDTH, WIDTH, Example
from training.detection.losses import box_loss, centre_loss, keypoint_loss
from training.detection.targets import Targets, make_targets

BOXES = np.array([[40.0, 20, 80, 140], [200, 100, 256, 192]])


def example_of(counts: list[bool], knows_size: list[bool] | None = None) -> Example:
    n = len(counts)
    return Example(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        BOXES[:n],
        np.array(counts),
        np.array(knows_size or [True] * n),
    )


def targets_of(*examples: Example) -> Targets:
    return make_targets(examples).select(torch.arange(len(examples)))


def answer_with(targets: Targets) -> Tensor:
    """Return height, width, and offset y, x, which say what the targets say."""
    left, top, right, bottom = targets.boxes.unbind(1)
    rows, columns = torch.arange(MAP_HEIGHT)[:, None], torch.arange(MAP_WIDTH)
    middles = (top + bottom) / 2 - rows, (left + right) / 2 - columns
    return torch.stack((bottom - top, right - left, *middles), 1)


def test_middles_are_where_boxes_have_theirs() -> None:
    targets = targets_of(example_of([True, True]))
    rows, columns = np.nonzero(targets.heat[0].numpy() == 1)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(20, 15), (36, 57)]
    assert (targets.is_judged == 1).all()


def test_the_right_answer_costs_nothing_and_others_more() -> None:
    targets = targets_of(example_of([True, True]), example_of([True]))
    sure = torch.where(targets.heat == 1, 12.0, -12.0)
    assert centre_loss(sure, targets) < 1e-3
    assert centre_loss(-sure, targets) > centre_loss(torch.zeros_like(sure), targets) > 1
    right = answer_with(targets)
    assert box_loss(right, targets) < 2e-3  # float16
    right[:, 0] += 3
    assert box_loss(right, targets) > 0.1
    keypoints = torch.randn(2, 17, MAP_HEIGHT, MAP_WIDTH)
    assert keypoint_loss(keypoints, keypoints) == 0
    assert keypoint_loss(-keypoints, keypoints) > 0


def test_who_does_not_count_is_left_open() -> None:
    targets = targets_of(example_of([False]))
    found = torch.full((1, MAP_HEIGHT, MAP_WIDTH), -20.0)
    nothing = centre_loss(found, targets)
    found[0, 20, 15] = 20.0  # in the middle of the box
    assert torch.equal(centre_loss(found, targets), nothing)
    found[0, 40, 40] = 20.0
    assert centre_loss(found, targets) > nothing + 1
    assert targets.box_weights.sum() == 0


def test_a_box_that_is_not_good_enough_teaches_no_size() -> None:
    targets = targets_of(example_of([True], [False]))
    assert (targets.heat == 1).sum() == 1
    assert box_loss(torch.zeros(1, 4, MAP_HEIGHT, MAP_WIDTH), targets) == 0


def test_weights_of_images() -> None:
    light = example_of([True])
    heavy = Example(light.pixels, light.boxes_xyxy, light.counts, light.knows_size, 3.0)
    targets = targets_of(light, heavy)
    logits = torch.full((2, MAP_HEIGHT, MAP_WIDTH), -12.0)
    logits[0][targets.heat[0] == 1] = 12.0  # one is found, the other is not
    missed_heavy = centre_loss(logits, targets)
    missed_light = centre_loss(logits.flip(0), targets)
    torch.testing.assert_close(missed_heavy, 3 * missed_light, rtol=1e-3, atol=1e-3)
