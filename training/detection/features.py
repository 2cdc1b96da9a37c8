"""Features of the frozen layers: computed once per example, as they are most of the work."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from smpler_model.detectors.person_network import PersonNetwork
from training.detection.examples import Example
from training.detection.targets import Targets, make_targets

KEYPOINTS_FROM = 5
"""First of the network's output maps that are keypoints."""

_AT_ONCE = 8
_TARGETS = tuple(field.name for field in fields(Targets))


@dataclass(frozen=True)
class Features:
    """The features of k images, and their targets.

    Attributes:
        coarsest: (k, 480, 6, 8) feature map of stride 32.
        finer: (k, n, h, w) feature maps of strides 4, 8 and 16.
        keypoints: (k, 17, 48, 64) logits of the initial network.
        targets: what the network should predict.
    """

    coarsest: Tensor
    finer: tuple[Tensor, ...]
    keypoints: Tensor
    targets: Targets

    def __len__(self) -> int:
        return len(self.coarsest)

    def select(self, rows: Tensor) -> "Features":
        """Return the images of these rows, as float32."""
        return Features(
            self.coarsest[rows].float(),
            tuple(each[rows].float() for each in self.finer),
            self.keypoints[rows].float(),
            self.targets.select(rows),
        )


@torch.inference_mode()
def see_examples(network: PersonNetwork, examples: Iterable[Example]) -> Features:
    """Return the features of examples as float16, about 0.5 MB an image."""
    parts = [_see(network, several) for several in _batches(examples)]
    targets = (torch.cat([getattr(part.targets, name) for part in parts]) for name in _TARGETS)
    return Features(
        torch.cat([part.coarsest for part in parts]),
        tuple(map(torch.cat, zip(*(part.finer for part in parts), strict=True))),
        torch.cat([part.keypoints for part in parts]),
        Targets(*targets),
    )


def _see(network: PersonNetwork, examples: list[Example]) -> Features:
    pixels = torch.from_numpy(np.stack([example.pixels for example in examples]))
    coarsest, finer = network.extract(pixels)
    keypoints = network.predict(coarsest, finer)[:, KEYPOINTS_FROM:]
    return Features(
        coarsest.half(),
        tuple(each.half() for each in finer),
        keypoints.half(),
        make_targets(examples),
    )


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    rest = iter(examples)
    while several := list(islice(rest, _AT_ONCE)):
        yield several
