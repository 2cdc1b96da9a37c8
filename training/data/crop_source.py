"""Synthetic crops as a run's training data."""

from collections.abc import Iterator

import torch
from torch import Generator

from smpler_model.hashes import hash_files
from smpler_model.network.smpler import BackboneModel
from smpler_model.people.metrics import Errors
from training.data.crop_files import Batch, CropFiles, augment, shard_path
from training.data.data_settings import CropData
from training.data.partial_crops import show_parts
from training.data.render_crops import shard_seeds
from training.data.source import ExampleSource, Validation, mix_seed
from training.learning.processes import Processes
from training.scoring.crop_errors import evaluate_model
from training.settings import TrainSettings


class CropSource(ExampleSource[Batch]):
    """Synthetic crops in memory."""

    def __init__(
        self, settings: TrainSettings, processes: Processes, data: CropData, batch: int = 0
    ) -> None:
        """Load all files; see the base class.

        Raises:
            FileNotFoundError: the crops were not rendered.
        """
        super().__init__(settings, processes, batch)
        self.data = data
        training, validation, held_out = (
            [shard_path(data.folder, seed) for seed in seeds] for seeds in shard_seeds(data)
        )
        self.crops = CropFiles(training)
        self.chooses = bool(validation)
        self.compared = CropFiles(validation or held_out)
        self.facts = {
            "data_sha256": hash_files(training),
            "held_out_sha256": hash_files(held_out),
        }

    @property
    def examples(self) -> int:
        """Number of training crops."""
        return len(self.crops)

    def batches(self, first: int, last: int) -> Iterator[list[Batch]]:
        """Yield the batches of the steps; see the base class."""
        seed = self.settings.seed
        for step in range(first, last):
            epoch, rows = self.rows_of(step)
            order = torch.randperm(
                self.examples, generator=Generator().manual_seed(mix_seed(seed, 1, epoch))
            )
            number = step * self.processes.count + self.processes.rank
            generator = Generator().manual_seed(mix_seed(seed, 2, number))
            yield [
                self._augment(self.crops.batch(part), generator).to(self.processes.device)
                for part in torch.split(order[rows], self.batch)
            ]

    def _augment(self, batch: Batch, generator: Generator) -> Batch:
        changed = augment(
            batch,
            generator,
            colour=self.data.colour,
            cutout=self.data.cutout,
            hidden_faces=self.data.hidden_faces,
            shift=self.data.shift,
        )
        return show_parts(changed, generator, self.data.partial) if self.data.partial else changed

    def validate(self, model: BackboneModel) -> Validation:
        """Return the errors on the validation crops, or on the held-out ones if there are none."""
        rows = torch.arange(self.processes.rank, len(self.compared), self.processes.count)
        parts = self.processes.gather(evaluate_model(model, self.compared, rows))
        columns = zip(*((e.mpjpe, e.pa_mpjpe, e.mpve) for e in parts), strict=True)
        return Validation(Errors(*map(torch.cat, columns)).means(), self.chooses)

    def show(self) -> Batch:
        """Return some validation crops."""
        return self.compared.batch(torch.arange(min(8, len(self.compared))))
