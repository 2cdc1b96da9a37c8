"""Photos of people as a run's training data."""

from collections.abc import Iterator

import torch
from torch import Generator

from smpler_model.hashes import hash_files
from smpler_model.network.smpler import BackboneModel
from training.data.data_settings import PhotoData
from training.data.photo_files import PhotoFiles, Photos
from training.data.source import ExampleSource, Validation, mix_seed
from training.learning.processes import Processes
from training.scoring.photo_errors import PhotoErrors, evaluate_on_photos
from training.settings import TrainSettings

_ORDER, _CHANGES = 1, 2  # purposes of a seed


class PhotoSource(ExampleSource[Photos]):
    """Prepared photos; those of the validation split are never trained on."""

    def __init__(
        self,
        settings: TrainSettings,
        processes: Processes,
        data: PhotoData,
        side: int,
        batch: int = 0,
    ) -> None:
        """Open both splits.

        Args:
            settings: settings of the run.
            processes: distributed training processes.
            data: settings of the photos.
            side: side of the network's crops, pixels.
            batch: number of people of this source in a batch; 0 for the whole batch.

        Raises:
            FileNotFoundError: the photos were not prepared.
            ValueError: their files do not fit together.
        """
        super().__init__(settings, processes, batch)
        self.data, self.side = data, side
        self.training, self.compared = (
            PhotoFiles(data.folder, split) for split in ("train", "validation")
        )
        self.facts = {
            "photos_sha256": hash_files(self.training.paths),
            "validation_photos_sha256": hash_files(self.compared.paths),
        }

    @property
    def examples(self) -> int:
        """Number of people to train on."""
        return len(self.training)

    def batches(self, first: int, last: int) -> Iterator[list[Photos]]:
        """Yield the batches of the steps; see the base class."""
        seed = self.settings.seed
        for step in range(first, last):
            epoch, rows = self.rows_of(step)
            shuffled = Generator().manual_seed(mix_seed(seed, _ORDER, epoch))
            order = torch.randperm(self.examples, generator=shuffled)
            number = step * self.processes.count + self.processes.rank
            generator = Generator().manual_seed(mix_seed(seed, _CHANGES, number))
            yield [
                self.training.changed(part, self.side, self.data.augmentation, generator).to(
                    self.processes.device
                )
                for part in torch.split(order[rows], self.batch)
            ]

    def validate(self, model: BackboneModel) -> Validation:
        """Return the errors on the validation photos."""
        rows = torch.arange(self.processes.rank, len(self.compared), self.processes.count)
        parts = self.processes.gather(evaluate_on_photos(model, self.compared, rows, self.side))
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return Validation(PhotoErrors(*map(torch.cat, columns)).means(), chooses=True)

    def show(self) -> Photos:
        """Return people of the validation."""
        return self.compared.batch(torch.arange(min(8, len(self.compared))), self.side)
