"""Reads and writes SMPLer checkpoints in the official layout.

Files are read with PyTorch's restricted unpickler, which executes no code in them.
"""

import argparse
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from smpler_model.atomic_files import write_atomically
from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.fit import (
    CheckpointError,
    check_finite,
    check_fit,
    check_tensors,
    find_likely_cause,
    follow_feedback,
    has_transformer,
    identify_config,
    optional_keys,
)
from smpler_model.checkpoints.official_layout import (
    BODY_PREFIX,
    BODY_REGRESSOR,
    BODY_SHAPES,
    body_from_official,
    find_official_key,
    numbers_of,
    official_from_body,
)
from smpler_model.network.config import MODELS, ModelConfig
from smpler_model.network.initialisation import (
    WithoutDraws,
    build_backbone_model,
    build_model,
)
from smpler_model.network.smpler import BackboneModel, Smpler

Model = TypeVar("Model", bound=BackboneModel)

_STAGE_PARTS = ("backbone.", "regressor.")
_NESTS = ("model", "state_dict")
_PARALLEL = "module."
"""Key prefix added by PyTorch's multi-GPU wrappers."""

_LARGE = 600
"""Least number of entries of a learned array that is stored in a smaller type, where one is
chosen. Others take no room, and rounding those of the first layers changes estimates most."""

_SHOWN_KEY = 80  # characters of a key quoted in an error

_MOST_UNPACKED = 1_000_000_000
_MOST_GROWTH = 2
"""Limits of a file's decompressed size, in bytes or as a multiple of its own size; weights hardly
compress."""

# Harmless objects that training scripts store beside the weights.
_PLAIN_CLASSES: list[Any] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("b1", "i4", "i8", "u1", "f2", "f4", "f8")),
    *(
        (np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar")
        for core in ("core", "_core")
    ),
]


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint file.

    Attributes:
        path: path of the file.
        state: tensors under official keys.
        nest: entry of a training checkpoint that holds them; empty if there is none.
        other: other entries of the training checkpoint, such as `optimizer` and `epoch`.
    """

    path: Path
    state: dict[str, Tensor]
    nest: str
    other: dict[str, Any]

    @property
    def has_body(self) -> bool:
        """Whether the file contains a body; without one, loading needs another."""
        return any(key.startswith(BODY_PREFIX) for key in self.state)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a state dict, or a training checkpoint with one under `model` or `state_dict`.

    Keys may begin with `module.`, as saved by multi-GPU wrappers.

    Raises:
        CheckpointError: the file is damaged, contains more than data, or is not SMPLer's.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    content = read_data(path)
    held = content if isinstance(content, dict) else {}
    nest = next((name for name in _NESTS if isinstance(held.get(name), Mapping)), "")
    state = content.pop(nest) if nest else content
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(values, Tensor) for key, values in state.items()
    ):
        raise CheckpointError(
            f"{path} must hold a dictionary of named tensors, or one under 'model', got "
            f"{_describe(state)}; give a SMPLer checkpoint"
        )
    if state and all(key.startswith(_PARALLEL) for key in state):
        state = {key.removeprefix(_PARALLEL): values for key, values in state.items()}
    check_tensors(state, source=str(path))
    if not any(key.startswith(("backbone.", "SMPL_predictor.")) for key in state):
        raise CheckpointError(
            f"{path} must hold keys like 'backbone.conv1.weight', got {_describe(state)}; "
            "give a SMPLer checkpoint"
        )
    return Checkpoint(path, dict(state), nest, content if nest else {})


def load_model(
    path: str | Path,
    *,
    config: ModelConfig | None = None,
    body: BodyArrays | None = None,
    default_body: Callable[[], BodyArrays] | None = None,
) -> Smpler:
    """Build the network that a file was saved from, with its weights, in evaluation mode.

    Args:
        path: an official file, or one written by `save_checkpoint`.
        config: expected configuration; derived from the file if None. Only the file says which
            optional feedback it has.
        body: a body to use instead of the file's. If it has no 17-joint regressor, the file's is
            used.
        default_body: loads a body if neither file nor caller provides one.

    Raises:
        CheckpointError: as for `read_checkpoint`, or the file does not fit the config, or neither
            file nor caller provides a body.
        FileNotFoundError: there is no such file.
    """
    return _load(build_model, path, config, body, default_body)


def load_backbone_model(
    path: str | Path, *, config: ModelConfig | None = None, body: BodyArrays | None = None
) -> BackboneModel:
    """Like `load_model`, for a file of the first training stage."""
    return _load(build_backbone_model, path, config, body)


def load_weights(model: BackboneModel, path: str | Path) -> None:
    """Copy a file's weights into a model, to train it further.

    A file of the first training stage has backbone and regressor: a Transformer keeps its weights.
    So does optional feedback where the file has none; where the model has none, the file's is left
    out. The body is unchanged.

    Raises:
        CheckpointError: as for `read_checkpoint`, or the file does not fit.
        FileNotFoundError: there is no such file.
    """
    checkpoint = read_checkpoint(path)
    whole = isinstance(model, Smpler) and has_transformer(checkpoint.state)
    cause = find_likely_cause(checkpoint.state, model.config, whole=whole)
    parts = ("",) if whole else _STAGE_PARTS
    _fill(model, checkpoint, cause, parts, optional_keys(model.config))


def save_checkpoint(
    model: BackboneModel,
    path: str | Path,
    *,
    include_body: bool = True,
    dtype: torch.dtype | None = None,
    other: Mapping[str, Any] | None = None,
) -> None:
    """Write a model in the official layout, atomically.

    Args:
        model: any model of this package.
        path: path of the file, which is replaced if it exists.
        include_body: False leaves the body's arrays out; loading then needs a body.
        dtype: type to store large learned arrays in, such as bfloat16; None keeps theirs.
        other: further entries, such as `optimizer` and `epoch`.

    Raises:
        ValueError: the body has no 17-joint regressor, which the layout requires.
        OSError: the file cannot be written; an existing one is unchanged.
    """
    path = Path(path)
    state = {_official_key(key): values for key, values in model.state_dict().items()}
    if dtype:
        parameters = model.named_parameters()
        large = {
            find_official_key(name) for name, values in parameters if values.numel() >= _LARGE
        }
        state = {key: v.to(dtype) if key in large else v for key, v in state.items()}
    if include_body:
        state |= official_from_body(model.body.arrays())
    content = {"model": state, **(other or {})}
    write_atomically(path, lambda file: torch.save(content, file))


def read_data(path: Path) -> Any:  # noqa: ANN401 - a file holds what it holds
    """Return the content of a file written by `torch.save`, without executing code in it.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is damaged, or contains more than tensors and plain values.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"checkpoint must be a file, got {path}; give the absolute path of an existing one"
        )
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pickles, which are refused below
        _check_unpacked_size(path)
        try:
            with torch.serialization.safe_globals(_PLAIN_CLASSES):
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can raise anything
            raise CheckpointError(f"{path} {_explain(error)}") from error


def _check_unpacked_size(path: Path) -> None:
    """Refuse a file whose decompressed size is far beyond that of weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # not a zip file, which `torch.load` handles, or a damaged one
        return
    if unpacked > max(_MOST_UNPACKED, _MOST_GROWTH * path.stat().st_size):
        raise CheckpointError(
            f"{path} must hold weights, which hardly compress, got "
            f"{path.stat().st_size / 1e6:.1f} MB that expand to {unpacked / 1e9:.1f} GB; get the "
            "file from its source again"
        )


def _explain(error: Exception) -> str:
    """Return a sentence that distinguishes unsafe pickles from damaged ones."""
    culprit = re.search(r"GLOBAL ([\w.]+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and culprit:
        return (
            f"must hold tensors and plain values only, got a reference to {culprit[1]}; it "
            "was not executed: get the file from its source again, or have the weights saved "
            "alone, with torch.save(model.state_dict(), path)"
        )
    return (
        f"must be a file of torch.save, got one that cannot be read ({type(error).__name__}); "
        "it is truncated or of another kind, get it from its source again"
    )


def _load(
    build: Callable[[ModelConfig, BodyArrays], Model],
    path: str | Path,
    config: ModelConfig | None,
    body: BodyArrays | None,
    default_body: Callable[[], BodyArrays] | None = None,
) -> Model:
    checkpoint = read_checkpoint(path)
    if body is None and default_body and not checkpoint.has_body:
        body = default_body()
    config = follow_feedback(config, checkpoint.state) if config else _find_config(checkpoint)
    cause = find_likely_cause(checkpoint.state, config, whole=build is build_model)
    arrays = _choose_body(checkpoint, body, cause)
    with WithoutDraws():
        model = build(config, arrays)
    _fill(model, checkpoint, cause)
    return model.eval()


def _find_config(checkpoint: Checkpoint) -> ModelConfig:
    config = identify_config(checkpoint.state)
    if config is None:
        raise CheckpointError(
            f"{checkpoint.path} must have the sizes of one of {', '.join(MODELS)}, got others; "
            "give the config that it was trained with"
        )
    return config


def _choose_body(checkpoint: Checkpoint, body: BodyArrays | None, cause: str) -> BodyArrays:
    """Return the given body, else the file's; the file also supplies a missing regressor."""
    path, state = checkpoint.path, checkpoint.state
    found = {key: values for key, values in state.items() if key.startswith(BODY_PREFIX)}
    if not found and body is None:
        raise CheckpointError(
            f"{path} must hold a body, got none; give one, the built-in or a SMPL file's"
        )
    if found:
        check_fit(BODY_SHAPES, found, source=f"The body in {path}", cause=cause)
        check_finite(found, source=str(path))
    if body is None:
        try:
            return body_from_official(found)
        except ValueError as error:
            raise CheckpointError(f"The body in {path} is broken: {error}") from error
    if found and body.J_regressor_h36m is None:
        return body.with_regressor(numbers_of(found[BODY_REGRESSOR]))
    return body


def _fill(
    model: BackboneModel,
    checkpoint: Checkpoint,
    cause: str,
    parts: tuple[str, ...] = ("",),
    optional: tuple[str, ...] = (),
) -> None:
    """Copy a file's weights into parts of a model, all of them or none.

    Args:
        model: is changed.
        checkpoint: the file.
        cause: why it might not fit.
        parts: what the keys of these parts begin with.
        optional: official keys that one of the two may lack.
    """
    own = model.state_dict()
    official = {key: _official_key(key) for key in own if key.startswith(parts)}
    learned = {k: v for k, v in checkpoint.state.items() if not k.startswith(BODY_PREFIX)}
    lacking = {key for key in optional if (key in official.values()) != (key in learned)}
    official = {ours: theirs for ours, theirs in official.items() if theirs not in lacking}
    learned = {theirs: values for theirs, values in learned.items() if theirs not in lacking}
    check_fit(
        {theirs: own[ours].shape for ours, theirs in official.items()},
        learned,
        source=f"{checkpoint.path} for {model.config.name}",
        cause=cause,
    )
    weights = {theirs: learned[theirs] for theirs in official.values()}
    check_finite(weights, source=str(checkpoint.path))
    model.load_state_dict(own | {ours: weights[theirs] for ours, theirs in official.items()})


def _official_key(key: str) -> str:
    official = find_official_key(key)
    if official is None:
        raise KeyError(
            f"{key} must have an official key, got none; add a row to the table in "
            "official_layout.py"
        )
    return official


def _describe(state: object) -> str:
    if isinstance(state, Mapping):
        keys = [repr(key)[:_SHOWN_KEY] for key in list(state)[:3]]
        return f"a dictionary with {', '.join(keys) or 'nothing in it'}"
    return f"a {type(state).__name__}"
