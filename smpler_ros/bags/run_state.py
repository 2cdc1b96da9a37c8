"""The state of a run at a checkpoint: one file, replaced atomically.

It holds what is expensive to recompute: the smoothers' filters, the valid length of each output
file, and the state of the metrics. Trackers and detectors are not saved, because libraries own
their states; instead, they replay the logged detections of all frames.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from smpler_model.atomic_files import write_atomically

Arrays = Mapping[str, NDArray[np.generic]]

_FACTS = "facts"


@dataclass(frozen=True)
class RunState:
    """Progress of a run.

    Attributes:
        digest: digest of the configuration.
        bag: names and sizes of the input's files.
        frames: number of frames read from the input.
        batches: number of processed batches.
        transforms: number of copied transform messages.
        wall_s: elapsed time.
        finished: whether the input was read to its end.
        lengths: valid lengths of the text files, bytes.
        information: metadata of the output bag.
        shown: ids of the people with markers, by topic.
        arrays: state of smoothers and errors, by purpose and camera: `smoother/<camera>`.
    """

    digest: str
    bag: dict[str, int]
    frames: int = 0
    batches: int = 0
    transforms: int = 0
    wall_s: float = 0.0
    finished: bool = False
    lengths: dict[str, int] = field(default_factory=dict)
    information: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, list[int]] = field(default_factory=dict)
    arrays: dict[str, Arrays] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file."""
        facts = {name: value for name, value in vars(self).items() if name != "arrays"}
        named: dict[str, Any] = {_FACTS: np.frombuffer(json.dumps(facts).encode(), np.uint8)}
        for purpose, arrays in self.arrays.items():
            named |= {f"{purpose}/{name}": values for name, values in arrays.items()}
        write_atomically(path, lambda file: np.savez(file, **named))


def load_checkpoint(path: Path) -> RunState:
    """Read a checkpoint file.

    Raises:
        ValueError: not a checkpoint file.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            facts = json.loads(archive[_FACTS].tobytes())
            arrays: dict[str, dict[str, NDArray[np.generic]]] = {}
            for key in archive.files:
                purpose, _, name = key.rpartition("/")
                if purpose:
                    arrays.setdefault(purpose, {})[name] = archive[key]
        return RunState(**facts, arrays=dict(arrays))
    except (KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"{path} must be the state of a run of this version, got another file ({error}); "
            "evaluate without --resume"
        ) from None
