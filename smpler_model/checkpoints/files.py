"""Reading and writing SMPLer files, in the layout of the official checkpoints.

Files are read with PyTorch's restricted unpickler, which runs no code of theirs.
"""

import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from smpler_model.atomic_files import write_atomically
from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.fit import (
    CheckpointError,
    check_fit,
    find_likely_cause,
    identify_config,
)
from smpler_model.checkpoints.official_layout import (
    BODY_PREFIX,
    BODY_REGRESSOR,
    BODY_SHAPES,
    body_from_official,
    find_official_key,
    official_from_body,
)
from smpler_model.network.config import MODELS, ModelConfig
from smpler_model.network.initialisation import build_backbone_model, build_model
from smpler_model.network.smpler import BackboneModel, Smpler

Model = TypeVar("Model", bound=BackboneModel)

_STAGE_PARTS = ("backbone.", "regressor.")


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        path: of the file.
        state: tensors under official keys.
        is_nested: whether they were under `model`, as in a training checkpoint.
        other: what that holds besides, such as `optimizer` and `epoch`.
    """

    path: Path
    state: dict[str, Tensor]
    is_nested: bool
    other: dict[str, Any]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a state dict, or a training checkpoint that holds one under `model`.

    Raises:
        CheckpointError: the file is damaged, holds more than data, or is not SMPLer's.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    content = read_data(path)
    nested = isinstance(content, dict) and "model" in content
    state = content.pop("model") if nested else content
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{path} must hold a dictionary of tensors, or one under 'model', got "
            f"{_describe(state)}; it is not a SMPLer checkpoint"
        )
    if not any(key.startswith(("backbone.", "SMPL_predictor.")) for key in state):
        raise CheckpointError(
            f"{path} must hold keys like 'backbone.conv1.weight', got {_describe(state)}; "
            "it is not a SMPLer checkpoint"
        )
    return Checkpoint(path, dict(state), nested, content if nested else {})


def load_model(
    path: str | Path, *, config: ModelConfig | None = None, body: BodyArrays | None = None
) -> Smpler:
    """Build the network that a file was saved from, with its weights, in evaluation mode.

    Args:
        path: an official file, or one of `save_checkpoint`.
        config: what the file is expected to be; found out from its sizes if None.
        body: a body to use instead of the file's. If it has no 17-joint regressor it takes the
            file's.

    Raises:
        CheckpointError: as `read_checkpoint`, or the file does not fit the config, or has no body
            while none is given.
        FileNotFoundError: there is no such file.
    """
    return _load(build_model, path, config, body)


def load_backbone_model(
    path: str | Path, *, config: ModelConfig | None = None, body: BodyArrays | None = None
) -> BackboneModel:
    """Like `load_model`, for a file of the first training stage."""
    return _load(build_backbone_model, path, config, body)


def load_backbone_stage(model: Smpler, path: str | Path) -> None:
    """Copy backbone and first guess from a file of the first training stage.

    The Transformer's weights and the network's body stay as they are.

    Raises:
        CheckpointError: as `read_checkpoint`, or the file does not fit.
        FileNotFoundError: there is no such file.
    """
    checkpoint = read_checkpoint(path)
    cause = find_likely_cause(checkpoint.state, model.config, whole=False)
    _fill(model, checkpoint, cause, parts=_STAGE_PARTS)


def save_checkpoint(
    model: BackboneModel,
    path: str | Path,
    *,
    include_body: bool = True,
    dtype: torch.dtype | None = None,
    other: Mapping[str, Any] | None = None,
) -> None:
    """Write a model in the official layout, all at once: a file that is there is whole.

    Args:
        model: any model of ours.
        path: of the file; one that exists is replaced.
        include_body: False keeps the body's arrays out; loading then needs a body.
        dtype: to store the learned parameters in, float16 for instance; as they are if None.
        other: further entries, such as `optimizer` and `epoch`.

    Raises:
        ValueError: the body has no 17-joint regressor, which the layout asks for.
        OSError: the file cannot be written; one that was there is as it was.
    """
    path = Path(path)
    state = {_official_key(key): values for key, values in model.state_dict().items()}
    if dtype:
        learned = {find_official_key(name) for name, _ in model.named_parameters()}
        state = {key: v.to(dtype) if key in learned else v for key, v in state.items()}
    if include_body:
        state |= official_from_body(model.body.arrays())
    content = {"model": state, **(other or {})}
    write_atomically(path, lambda file: torch.save(content, file))


def read_data(path: Path) -> Any:  # noqa: ANN401 - a file holds what it holds
    """Return what a file of `torch.save` holds, without running code of it.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or holds more than tensors and plain values.
    """
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint must be a file, got {path}; check the path")
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the pickles that are refused below
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can raise anything
            raise CheckpointError(f"{path} {_explain(error)}") from error


def _explain(error: Exception) -> str:
    """Tell a pickle that asks for more than data from one that is damaged."""
    culprit = re.search(r"GLOBAL ([\w.]+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and culprit:
        return (
            f"must hold tensors and plain values only, got a reference to {culprit[1]}; nothing "
            "of it was run, get the file from its source again"
        )
    return (
        f"must be a file of torch.save, got one that cannot be read ({type(error).__name__}); "
        "it is cut short or of another kind, get it from its source again"
    )


def _load(
    build: Callable[[ModelConfig, BodyArrays], Model],
    path: str | Path,
    config: ModelConfig | None,
    body: BodyArrays | None,
) -> Model:
    checkpoint = read_checkpoint(path)
    config = config or _find_config(checkpoint)
    cause = find_likely_cause(checkpoint.state, config, whole=build is build_model)
    model = build(config, _choose_body(checkpoint, body, cause))
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
    """Take the given body, else the file's; a regressor that the given lacks is the file's."""
    path, state = checkpoint.path, checkpoint.state
    found = {key: values for key, values in state.items() if key.startswith(BODY_PREFIX)}
    if not found and body is None:
        raise CheckpointError(
            f"{path} must hold a body, got none; give one, the built-in or a SMPL file's"
        )
    if found:
        check_fit(BODY_SHAPES, found, source=f"The body in {path}", cause=cause)
    if body is None:
        try:
            return body_from_official(found)
        except ValueError as error:
            raise CheckpointError(f"The body in {path} is broken: {error}") from error
    if found and body.J_regressor_h36m is None:
        return body.with_regressor(found[BODY_REGRESSOR].numpy())
    return body


def _fill(
    model: BackboneModel, checkpoint: Checkpoint, cause: str, parts: tuple[str, ...] = ("",)
) -> None:
    """Copy a file's weights into those parts of a model, all of them or none."""
    own = model.state_dict()
    official = {key: _official_key(key) for key in own if key.startswith(parts)}
    learned = {k: v for k, v in checkpoint.state.items() if not k.startswith(BODY_PREFIX)}
    check_fit(
        {theirs: own[ours].shape for ours, theirs in official.items()},
        learned,
        source=f"{checkpoint.path} for {model.config.name}",
        cause=cause,
    )
    model.load_state_dict(own | {ours: learned[theirs] for ours, theirs in official.items()})


def _official_key(key: str) -> str:
    official = find_official_key(key)
    if official is None:
        raise KeyError(f"{key} has no row in the official layout's table; add one")
    return official


def _describe(state: object) -> str:
    if isinstance(state, Mapping):
        return f"a dictionary with {', '.join(map(repr, list(state)[:3])) or 'nothing in it'}"
    return f"a {type(state).__name__}"
