"""Interface of training data: the examples of each step, and the validation.

The examples of a step depend only on the run's seed, the step and the process, so that a resumed
run equals an uninterrupted one, whatever the number of reading workers.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic

from smpler_model.network.smpler import BackboneModel
from training.learning.objectives import Examples
from training.learning.processes import Processes
from training.settings import TrainSettings


@dataclass(frozen=True)
class Validation:
    """Errors of the network in training.

    Attributes:
        errors: means by name.
        chooses: whether the errors may select the best weights: not those on held-out test data.
    """

    errors: dict[str, float]
    chooses: bool


class ExampleSource(ABC, Generic[Examples]):
    """Examples for every step."""

    facts: dict[str, Any]
    """Hashes and sizes of the data; a run is resumed only with the same."""

    def __init__(self, settings: TrainSettings, processes: Processes, batch: int = 0) -> None:
        """Store the settings.

        Args:
            settings: settings of the run.
            processes: distributed training processes.
            batch: number of people of this source in a batch; 0 for the whole batch.
        """
        self.settings, self.processes = settings, processes
        self.batch = batch or settings.batch

    @property
    def share(self) -> int:
        """Number of examples of one step in this process."""
        return self.batch * self.settings.accumulate

    @property
    @abstractmethod
    def examples(self) -> int:
        """Number of examples of an epoch."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of whole steps in an epoch; which examples remain differs between epochs.

        Raises:
            ValueError: an epoch has no whole step.
        """
        steps = self.examples // (self.share * self.processes.count)
        if not steps:
            raise ValueError(
                f"a step needs {self.share * self.processes.count} examples, got "
                f"{self.examples} in all; lower batch or accumulate"
            )
        return steps

    def rows_of(self, step: int) -> tuple[int, slice]:
        """Return the epoch of a step, and this process's slice of the epoch's order."""
        epoch, place = divmod(step, self.steps_per_epoch)
        start = (place * self.processes.count + self.processes.rank) * self.share
        return epoch, slice(start, start + self.share)

    @abstractmethod
    def batches(self, first: int, last: int) -> Iterator[list[Examples]]:
        """Yield the batches of the steps from `first` up to, but not including, `last`."""

    @abstractmethod
    def validate(self, model: BackboneModel) -> Validation:
        """Return the errors of a network; every process takes part and gets all of them."""

    @abstractmethod
    def show(self) -> Examples:
        """Return a few examples to draw, always the same."""


def mix_seed(seed: int, purpose: int, number: int) -> int:
    """Return a distinct seed for each purpose, up to 3, and number."""
    return (seed * 4 + purpose) * 1_000_003_000 + number
