"""Losses of the network's output maps.

Source: Law and Deng, "CornerNet", ECCV 2018 (focal loss of heatmaps).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.detection.targets import Targets

_FOCUS, _NEARNESS = 2.0, 4.0  # exponents of the focal loss


def centre_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Return the focal loss of the heatmaps of box centres (k, h, w), per person."""
    likely, heat = torch.sigmoid(logits), targets.heat
    is_middle = (heat == 1).float()
    hits = is_middle * (1 - likely) ** _FOCUS * F.logsigmoid(logits)
    others = (1 - heat) ** _NEARNESS * likely**_FOCUS * F.logsigmoid(-logits)
    each = (hits + (1 - is_middle) * targets.is_judged * others).sum((1, 2))
    weighted_people = (targets.weights * is_middle.sum((1, 2))).sum()
    return -(targets.weights * each).sum() / weighted_people.clamp(min=1)


def box_loss(answers: Tensor, targets: Targets) -> Tensor:
    """Return the L1 loss of the boxes' edges (k, 4, h, w), relative to the boxes' sides.

    Args:
        answers: height, width, and offset y, x from a pixel to the box's centre, in pixels of the
            map.
        targets: targets.
    """
    height, width, down, across = answers.unbind(1)
    rows = torch.arange(answers.shape[2], device=answers.device)[:, None]
    columns = torch.arange(answers.shape[3], device=answers.device)
    y, x = rows + down, columns + across
    edges = torch.stack((x - width / 2, y - height / 2, x + width / 2, y + height / 2), 1)
    sides = (targets.boxes[:, 2:] - targets.boxes[:, :2]).clamp(min=1)
    off = ((edges - targets.boxes).abs() / sides.repeat(1, 2, 1, 1)).sum(1)
    weights = targets.box_weights * targets.weights[:, None, None]
    return (weights * off).sum() / weights.sum().clamp(min=1)


def keypoint_loss(logits: Tensor, initial: Tensor) -> Tensor:
    """Return the squared error of keypoints (k, 17, h, w): probabilities against the initial."""
    return (torch.sigmoid(logits) - torch.sigmoid(initial)).square().sum((1, 2, 3)).mean()
