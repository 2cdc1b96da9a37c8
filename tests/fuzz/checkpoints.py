"""Checkpoints: apart from other files of arrays, whose readers do without PyTorch."""

import io
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import torch

from smpler_model.checkpoints.files import read_checkpoint
from tests.fuzz.mutations import edge, mutate_bytes
from tests.fuzz.target import Target, on_file

_KEYS = ("backbone.conv1.weight", "SMPL_predictor.fc1.weight")
_LONGEST = 40


def checkpoint() -> Target:
    """Files of `torch.save`, new and old."""
    return Target(on_file(read_checkpoint, "weights.pt"), _checkpoints(), _mutate_checkpoint)


def _checkpoints() -> list[bytes]:
    state = {key: torch.zeros(2, 3) for key in _KEYS}
    return [
        *(_saved(state), _saved({"model": state, "epoch": 3})),
        _saved({"model": state}, _use_new_zipfile_serialization=False),
    ]


def _saved(content: object, **options: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _mutate_checkpoint(sample: bytes, random: Random, samples: Sequence[bytes]) -> bytes:
    """Corrupt the bytes, which mostly breaks a checksum, or save unusual content."""
    if random.random() < 0.5:
        return mutate_bytes(sample, random, samples)
    return _saved(_odd_dictionary(random, depth=3))


def _odd_dictionary(random: Random, depth: int) -> dict[Any, Any]:
    names = [*_KEYS, "model", "state_dict", "module.backbone.x", "", "x" * 5000, 3, None, (1, 2)]
    count = random.randrange(4)
    return {random.choice(names): _odd_value(random, depth) for _ in range(count)}


def _odd_value(random: Random, depth: int) -> object:
    if depth and random.random() < 0.5:
        return _odd_dictionary(random, depth - 1)
    size = [edge(random, _LONGEST) for _ in range(random.randrange(4))]
    values = torch.zeros(size)
    kinds = (
        *(values, values.bfloat16(), values.to(torch.complex64), values.to("meta"), values / 0),
        *(values.to_sparse() if size else values, values.bool(), values.long(), values[None]),
        *(torch.zeros(1).expand(10**9), np.float64(3), [values], "text", None, {1: values}),
    )
    return random.choice(kinds)
