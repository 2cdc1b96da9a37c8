"""Where a run's examples come from: which are learnt in which step, and what it is chosen by.

What a step learns depends on the run's seed, the step and the process alone, so that a run that
was stopped goes on as if it had not been, whatever the number of reading workers.
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
    """Errors of a network that learns.

    Attributes:
        errors: means by name.
        chooses: whether the best weights may be chosen by them: not by held-out test data.
    """

    errors: dict[str, float]
    chooses: bool


class ExampleSource(ABC, Generic[Examples]):
    """Examples for every step."""

    facts: dict[str, Any]
    """Hashes and numbers of the data; a run goes on only with the same."""

    def __init__(self, settings: TrainSettings, processes: Processes, batch: int = 0) -> None:
        """Take the settings of a run.

        Args:
            settings: settings of the run.
            processes: distributed training processes.
            batch: people of this source in a batch; all of it if 0.
        """
        self.settings, self.processes = settings, processes
        self.batch = batch or settings.batch

    @property
    def share(self) -> int:
        """Examples of one step in this process."""
        return self.batch * self.settings.accumulate

    @property
    @abstractmethod
    def examples(self) -> int:
        """Examples of an epoch."""

    @property
    def steps_per_epoch(self) -> int:
        """Whole steps of an epoch; what is left over is learnt in others.

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
        """Return the epoch of a step, and this process' places in the epoch's order."""
        epoch, place = divmod(step, self.steps_per_epoch)
        start = (place * self.processes.count + self.processes.rank) * self.share
        return epoch, slice(start, start + self.share)

    @abstractmethod
    def batches(self, first: int, last: int) -> Iterator[list[Examples]]:
        """Give the batches of the steps from the first to before the last."""

    @abstractmethod
    def validate(self, model: BackboneModel) -> Validation:
        """Return the errors of a network; every process takes part and gets all."""

    @abstractmethod
    def show(self) -> Examples:
        """Return a few examples to draw, always the same."""


def mix_seed(seed: int, purpose: int, number: int) -> int:
    """Return a seed of its own for each purpose, up to 3, and number."""
    return (seed * 4 + purpose) * 1_000_003_000 + number
