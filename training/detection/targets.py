"""Target maps: a Gaussian peak at the centre of each person's box, and the box there.

Source: Law and Deng, "CornerNet", ECCV 2018; Zhou et al., "Objects as Points", 2019. Differs:
peaks have the boxes' aspect ratio, so that two people close to each other keep one each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.array_types import Floats
from smpler_model.detectors.person_network import STRIDE
from training.detection.examples import MAP_HEIGHT, MAP_WIDTH, Example

_DEVIATION = 0.08  # standard deviation over the box's side
_LEAST_DEVIATION = 0.5  # pixels of the map
_BOX_FROM = 0.5  # height of a peak from which on the box counts in the loss
_SEEN_FROM = 0.1  # height of a peak from which on every pixel counts in the loss
_OPEN = 0.6  # part of an ignored person's box that does not count in the loss

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Targets:
    """Targets of k images, in maps of h x w pixels.

    Attributes:
        heat: (k, h, w) heatmap, 1 at the centres of people's boxes, falling to 0.
        is_judged: (k, h, w) 0 where a detection is neither right nor wrong, else 1.
        boxes: (k, 4, h, w) left, top, right, bottom in pixels of the map, counted from its edges.
        box_weights: (k, h, w) 0 where there is no box.
        weights: (k,) weights of the images.
    """

    heat: Tensor
    is_judged: Tensor
    boxes: Tensor
    box_weights: Tensor
    weights: Tensor

    def select(self, rows: Tensor) -> "Targets":
        """Return the targets of some images, as float32."""
        return Targets(
            self.heat[rows].float(),
            self.is_judged[rows].float(),
            self.boxes[rows].float(),
            self.box_weights[rows].float(),
            self.weights[rows].float(),
        )


def make_targets(examples: Sequence[Example]) -> Targets:
    """Return the targets of k examples, as float16."""
    parts = [_draw(example) for example in examples]
    heat, is_judged, boxes, box_weights = (
        torch.from_numpy(np.stack(maps)).half() for maps in zip(*parts, strict=True)
    )
    weights = torch.tensor([example.weight for example in examples])
    return Targets(heat, is_judged, boxes, box_weights, weights)


def _draw(example: Example) -> tuple[Map, Map, Map, Map]:
    heat = np.zeros((MAP_HEIGHT, MAP_WIDTH), np.float32)
    boxes = np.zeros((4, MAP_HEIGHT, MAP_WIDTH), np.float32)
    box_weights = np.zeros_like(heat)
    is_judged = np.ones_like(heat)
    edges = example.boxes_xyxy / STRIDE
    # Ignored people first, so that the peaks of the others remain.
    for box in edges[~example.counts]:
        _leave_open(is_judged, box)
    for box, knows in zip(edges[example.counts], example.knows_size[example.counts], strict=True):
        peak = _peak(box)
        is_judged[peak > _SEEN_FROM] = 1
        nearest = peak > heat
        boxes[:, nearest] = box[:, None]
        box_weights[nearest] = np.where(peak > _BOX_FROM, peak, 0)[nearest] * knows
        np.maximum(heat, peak, out=heat)
    return heat, is_judged, boxes, box_weights


def _peak(box_xyxy: Floats) -> Map:
    """Return a Gaussian (h, w): 1 at the pixel that contains a box's centre."""
    middle = np.floor((box_xyxy[:2] + box_xyxy[2:]) / 2).clip(0, (MAP_WIDTH - 1, MAP_HEIGHT - 1))
    deviation = np.maximum(_DEVIATION * (box_xyxy[2:] - box_xyxy[:2]), _LEAST_DEVIATION)
    x = (np.arange(MAP_WIDTH) - middle[0]) / deviation[0]
    y = (np.arange(MAP_HEIGHT) - middle[1]) / deviation[1]
    return np.asarray(np.exp(-0.5 * (x**2 + y[:, None] ** 2)), np.float32)


def _leave_open(is_judged: Map, box_xyxy: Floats) -> None:
    middle, half = (box_xyxy[:2] + box_xyxy[2:]) / 2, (box_xyxy[2:] - box_xyxy[:2]) / 2
    left, top = np.floor(middle - _OPEN * half).clip(0).astype(int)
    right, bottom = np.ceil(middle + _OPEN * half).astype(int)
    is_judged[top : bottom + 1, left : right + 1] = 0
