"""Creates the source of a run's training data from its settings."""

from typing import Any

from training.data.crop_source import CropSource
from training.data.data_settings import CropData, MixedData, PhotoData, TsvData
from training.data.mixed_source import MixedSource
from training.data.photo_source import PhotoSource
from training.data.source import ExampleSource
from training.data.tsv_source import TsvSource
from training.learning.processes import Processes
from training.settings import TrainSettings


def make_source(settings: TrainSettings, processes: Processes, side: int) -> ExampleSource[Any]:
    """Open a run's data.

    Args:
        settings: settings of the run.
        processes: distributed training processes.
        side: side of the network's crops, pixels.

    Raises:
        FileNotFoundError: data is missing.
        ValueError: the data are unusable.
    """
    data = settings.data
    if not isinstance(data, MixedData):
        return _open(settings, processes, side, data)
    shares = data.shares(settings.batch)
    parts = [
        _open(settings, processes, side, part.data, share)
        for part, share in zip(data.parts, shares, strict=True)
    ]
    return MixedSource(settings, processes, parts)


def _open(
    settings: TrainSettings,
    processes: Processes,
    side: int,
    data: CropData | PhotoData | TsvData,
    batch: int = 0,
) -> ExampleSource[Any]:
    if isinstance(data, CropData):
        return CropSource(settings, processes, data, batch)
    if isinstance(data, PhotoData):
        return PhotoSource(settings, processes, data, side, batch)
    return TsvSource(settings, processes, data, side, batch)
