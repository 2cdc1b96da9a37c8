"""The source of a run's examples, by its settings."""

from typing import Any

from training.data.crop_source import CropSource
from training.data.data_settings import CropData
from training.data.source import ExampleSource
from training.data.tsv_source import TsvSource
from training.learning.processes import Processes
from training.settings import TrainSettings


def make_source(settings: TrainSettings, processes: Processes, side: int) -> ExampleSource[Any]:
    """Open a run's data.

    Args:
        settings: of the run.
        processes: that learn together.
        side: of the network's crops, pixels.

    Raises:
        FileNotFoundError: data is missing.
        ValueError: data cannot be used.
    """
    if isinstance(settings.data, CropData):
        return CropSource(settings, processes, settings.data)
    return TsvSource(settings, processes, settings.data, side)
