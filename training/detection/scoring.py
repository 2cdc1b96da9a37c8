"""Recall of a network on held-out images, and its false boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from smpler_model.array_types import Floats
from smpler_model.detectors.box_overlap import box_overlaps
from smpler_model.detectors.person_detector import find_centres
from smpler_model.detectors.person_network import STRIDE, PersonNetwork
from smpler_model.network.torchvision_operators import suppress_overlaps
from training.detection.examples import Example
from training.detection.features import Features

LEAST_IOU = 0.5
_SUPPRESSED = 0.6  # overlap, as in the detector
_AT_ONCE = 16
_ANYBODY = 0.3  # overlap with any person from which on a box is not a false one


@dataclass(frozen=True)
class Found:
    """What a network finds in k images.

    Attributes:
        people: number of people to be found.
        found: number of those that were.
        false: number of false boxes.
        images: number of images.
    """

    people: int
    found: int
    false: int
    images: int

    @property
    def recall(self) -> float:
        """Share of the people who were found."""
        return self.found / max(self.people, 1)

    def line(self, title: str) -> str:
        """Return it as a line to print."""
        found = f"{self.found} of {self.people} people   recall {self.recall:.3f}"
        return (
            f"{title}: {found if self.people else f'{self.images} images without people'}   "
            f"false boxes {self.false / max(self.images, 1):.3f} an image"
        )


def score_network(
    network: PersonNetwork, features: Features, examples: Sequence[Example], least_score: float
) -> Found:
    """Score the detections of at least `least_score`, in images whose features are given."""
    people = found = false = 0
    for rows in torch.arange(len(features)).chunk(-(-len(features) // _AT_ONCE)):
        part = features.select(rows)
        with torch.inference_mode():
            answers = network.predict(part.coarsest, part.finer).numpy()
        for row, maps in zip(rows.tolist(), answers, strict=True):
            edges, scores = find_centres(maps, least_score)
            stays = suppress_overlaps(
                torch.from_numpy(edges), torch.from_numpy(scores), _SUPPRESSED
            ).numpy()
            hits, wrong = _match(examples[row], STRIDE * edges[stays])
            people += int(examples[row].counts.sum())
            found, false = found + hits, false + wrong
    return Found(people, found, false, len(features))


def _match(example: Example, boxes_xyxy: Floats) -> tuple[int, int]:
    """Match each person greedily with the best free box; return the hits and the false boxes."""
    shared = box_overlaps(example.boxes_xyxy, boxes_xyxy)
    free = np.ones(len(boxes_xyxy), np.bool_)
    hits = 0
    for row in np.flatnonzero(example.counts):
        ranked = np.where(free, shared[row], 0)
        if len(ranked) and ranked.max() >= LEAST_IOU:
            free[ranked.argmax()] = False
            hits += 1
    of_somebody = shared.max(0, initial=0) >= _ANYBODY
    return hits, int((free & ~of_somebody).sum())
