"""The source of a run's examples, by its settings."""

from typing import Any

from training.crop_source import CropSource
from training.data_settings import CropData
from training.processes import Processes
from training.settings import TrainSettings
from training.source import Source
from training.tsv_source import TsvSource


def make_source(settings: TrainSettings, processes: Processes, side: int) -> Source[Any]:
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
