"""Several sources as a run's training data."""

from collections.abc import Iterator, Sequence
from typing import Any

from smpler_model.network.smpler import BackboneModel
from training.data.mixed import Mixed
from training.data.source import ExampleSource, Validation
from training.learning.processes import Processes
from training.settings import TrainSettings


class MixedSource(ExampleSource[Mixed]):
    """Some people of each source in every batch.

    Each source has its own epochs; an epoch of the run is one of the first source.
    """

    def __init__(
        self, settings: TrainSettings, processes: Processes, sources: Sequence[ExampleSource[Any]]
    ) -> None:
        """Combine sources.

        Args:
            settings: settings of the run.
            processes: distributed training processes.
            sources: sources, each with its number of people per batch.
        """
        super().__init__(settings, processes)
        self.sources = sources
        self.facts = {
            f"{name} {number}": value
            for number, source in enumerate(sources)
            for name, value in source.facts.items()
        }

    @property
    def examples(self) -> int:
        """Number of people of all sources in an epoch."""
        return self.sources[0].steps_per_epoch * self.share * self.processes.count

    def batches(self, first: int, last: int) -> Iterator[list[Mixed]]:
        """Yield the batches of the steps; see the base class."""
        each = [source.batches(first, last) for source in self.sources]
        for batches in zip(*each, strict=True):
            yield [Mixed(tuple(parts)) for parts in zip(*batches, strict=True)]

    def validate(self, model: BackboneModel) -> Validation:
        """Return the errors on all sources; from the second on, names have a number."""
        found = [source.validate(model) for source in self.sources]
        errors = dict(found[0].errors)
        for number, other in enumerate(found[1:], 1):
            errors |= {f"{name}-{number}": value for name, value in other.errors.items()}
        return Validation(errors, found[0].chooses)

    def show(self) -> Any:  # noqa: ANN401 - what the first source shows
        """Return people of the first source's validation."""
        return self.sources[0].show()
