"""Batches of people from several sources."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.crop_files import Batch
from training.data.labelled_people import LabelledPeople
from training.data.photo_files import Photos


@dataclass(frozen=True)
class Mixed:
    """People from several sources in one batch.

    Attributes:
        parts: a batch of each source, in the order of the sources.
    """

    parts: tuple[Batch | LabelledPeople | Photos, ...]

    @property
    def images(self) -> Tensor:
        """(b, 3, s, s) RGB of all sources, one after the other, 0 to 255."""
        return torch.cat([part.images for part in self.parts])

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def to(self, device: torch.device) -> "Mixed":
        """Return the batch on a device."""
        return Mixed(tuple(part.to(device) for part in self.parts))
