"""The objective for batches from several sources, which the network processes at once.

Thus a batch norm's statistics are those of all sources, as at inference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from smpler_model.network.estimates import Stage
from smpler_model.network.smpler import BackboneModel
from training.data.data_settings import CropData, Data, MixedData, PhotoData
from training.data.mixed import Mixed
from training.data.shares import share_out
from training.learning.keypoint_objective import KeypointObjective
from training.learning.losses import Counts
from training.learning.objectives import (
    CropObjective,
    Objective,
    ObjectiveModule,
    PeopleObjective,
)
from training.learning.photo_objective import PhotoObjective
from training.settings import TrainSettings


@dataclass(frozen=True)
class Places:
    """The rows of one source's people in the common batch.

    Attributes:
        rows: (n,) rows of the images, refined people first.
        refined: (r,) rows of the Transformer's outputs.
    """

    rows: Tensor
    refined: Tensor


class MixedObjective(ObjectiveModule[Mixed]):
    """The losses of each source, weighted by its fraction of the people."""

    def __init__(
        self,
        model: BackboneModel,
        settings: TrainSettings,
        parts: Sequence[ObjectiveModule[Any]],
        names: Sequence[str],
    ) -> None:
        """Combine objectives of the same network.

        Args:
            model: model shared by all parts.
            settings: settings of the run.
            parts: objective of each source.
            names: names of the sources, for the log.
        """
        super().__init__(model, settings)
        # The parts' network is this one's, which is registered once; their other modules follow.
        self._parts = tuple(parts)
        self.names = tuple(names)
        self.others = nn.ModuleList(
            nn.ModuleDict({name: m for name, m in part.named_children() if name != "model"})
            for part in parts
        )

    def count(self, batch: Mixed) -> Counts:
        """Return the numbers of people with labels per source: (sources,) each."""
        each = [part.count(some) for part, some in zip(self._parts, batch.parts, strict=True)]
        return Counts(
            *(torch.stack([getattr(one, field.name) for one in each]) for field in fields(Counts))
        )

    def look(self, batch: Mixed, counts: Counts) -> Objective:
        """Compute the loss; see the base class."""
        sizes = [len(some) for some in batch.parts]
        places = find_places(sizes, self.settings.refined_crops)
        order = torch.cat([found.rows for found in places]).argsort()
        images = batch.images[order]
        stages = self.estimate(images)
        total = images.new_zeros(())
        terms: dict[str, Tensor] = {}
        for number, (part, some) in enumerate(zip(self._parts, batch.parts, strict=True)):
            own = Counts(*(count[number] for count in vars(counts).values()))
            found = part.compare(_of_source(stages, places[number]), some, own)
            total = total + found.loss * (sizes[number] / sum(sizes))
            terms |= {f"{self.names[number]} {name}": v for name, v in found.terms.items()}
        return Objective(total, terms)


def make_objective(
    model: BackboneModel, settings: TrainSettings, data: Data
) -> ObjectiveModule[Any]:
    """Return the objective for a run's data.

    Args:
        model: model to train.
        settings: settings of the run.
        data: training data.
    """
    if settings.trained == "keypoints":
        return KeypointObjective(model, settings)
    if isinstance(data, MixedData):
        parts = [make_objective(model, settings, part.data) for part in data.parts]
        names = name_sources([part.data.kind for part in data.parts])
        return MixedObjective(model, settings, parts, names)
    if isinstance(data, CropData):
        return CropObjective(model, settings)
    if isinstance(data, PhotoData):
        return PhotoObjective(model, settings, data)
    return PeopleObjective(model, settings)


def name_sources(kinds: Sequence[str]) -> list[str]:
    """Name sources after their kinds; further ones of a kind get a number."""
    seen = [kinds[: number + 1].count(kind) for number, kind in enumerate(kinds)]
    return [
        kind if count == 1 else f"{kind} {count}" for kind, count in zip(kinds, seen, strict=True)
    ]


def find_places(sizes: Sequence[int], refined: int) -> list[Places]:
    """Assign each source its rows in a batch whose first people are refined.

    Every source gets its share of the refined people, at least one.

    Args:
        sizes: number of people of each source.
        refined: number of people in the batch who are refined; 0 for all.

    Raises:
        ValueError: fewer people are refined than there are sources.
    """
    total = sum(sizes)
    refined = refined if 0 < refined < total else total
    heads = share_out(refined, sizes)
    places, first, later = [], 0, refined
    for size, head in zip(sizes, heads, strict=True):
        front = torch.arange(first, first + head)
        back = torch.arange(later, later + size - head)
        places.append(Places(torch.cat((front, back)), front))
        first, later = first + head, later + size - head
    return places


def _of_source(stages: Sequence[Stage], places: Places) -> list[Stage]:
    """Return one source's part of the estimates of a batch."""
    own = []
    for number, stage in enumerate(stages):
        rows = places.rows if number == 0 else places.refined
        own.append(Stage(*(values[rows] for values in vars(stage).values())))
    return own
