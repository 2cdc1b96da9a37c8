"""Files of the detector `person`'s weights: large arrays as int8 with a scale for each channel.

Small arrays are float16. The file is half as large as with float16 alone.

Source: Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018
(symmetric, per channel). Differs: only the file is quantised; the network computes with floats.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.atomic_files import write_atomically
from smpler_model.body.archives import read_npz
from smpler_model.detectors.learned import WITHOUT_WEIGHTS, DetectorError
from smpler_model.detectors.person_network import PersonNetwork

SHIPPED = Path(__file__).parents[1] / "data" / "person_detector.npz"
"""The file that comes with the package."""

_SCALE = "/scale"  # suffix of the name of an int8 array
_LARGEST = 127
_FEWEST = 20_000  # weights of a large array; quantising small ones saves little


def load_person_network(path: Path = SHIPPED) -> PersonNetwork:
    """Build the network with the weights of a file, in evaluation mode.

    Raises:
        DetectorError: the file is missing, damaged, or of another network.
    """
    network = PersonNetwork()
    expected = network.state_dict()
    stored = _read(path, expected)
    state = {name: _unpack(stored, name) for name in expected if name in stored}
    faults = [
        name
        for name, values in expected.items()
        if name not in state or state[name].shape != values.shape
    ]
    if faults:
        raise DetectorError(
            f"{path} must hold the weights of the detector 'person', but "
            f"{len(faults)} of its {len(expected)} arrays are missing or have another shape, such "
            f"as '{faults[0]}'; leave detector_weights empty for those that ship"
        )
    network.load_state_dict(state)
    return network.eval()


def save_person_network(network: PersonNetwork, path: Path) -> None:
    """Write a network's weights.

    Raises:
        OSError: the file cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, values in network.state_dict().items():
        arrays.update(_pack(name, values.detach().float().cpu().numpy()))
    write_atomically(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def _pack(name: str, values: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return an array as it is stored: (o, ...) int8 with (o,) scales, or float16."""
    if values.size < _FEWEST:
        return {name: values.astype(np.float16)}
    channels = values.reshape(len(values), -1)
    scales = np.maximum(np.abs(channels).max(1), np.finfo(np.float32).tiny) / _LARGEST
    codes = np.rint(channels / scales[:, None]).astype(np.int8)
    return {name: codes.reshape(values.shape), f"{name}{_SCALE}": scales.astype(np.float32)}


def _unpack(stored: Mapping[str, NDArray[Any]], name: str) -> Tensor:
    values = stored[name].astype(np.float32)
    scales = stored.get(f"{name}{_SCALE}")
    if scales is not None:
        values *= scales.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    return torch.from_numpy(values)


def _read(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DetectorError(
            f"the detector's weights must be a file, got {path}; give the absolute path of "
            f"an existing one; {WITHOUT_WEIGHTS}"
        )
    try:
        return read_npz(path, [*names, *(f"{name}{_SCALE}" for name in names)])
    except ValueError as error:
        raise DetectorError(str(error)) from error
