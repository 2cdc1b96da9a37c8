"""Checks whether a checkpoint fits a model, and explains why not."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Size, Tensor

from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_SHAPE_COUNT
from smpler_model.checkpoints.official_layout import FULL_ATTENTION
from smpler_model.network.config import MODELS, AttentionKind, ModelConfig

FIRST_LAYER = "SMPL_predictor.fc1.weight"
FIRST_GUESS_FEEDBACK = "SMPL_predictor.feedback.weight"
TURN_FEEDBACK = "transformer.{}.turn_feedback.weight"
_TRANSFORMER_PREFIX = "transformer."
_ESTIMATE_SIZE = 6 * len(SMPL_JOINTS) + SMPL_SHAPE_COUNT + 3
_NAMED_KEYS = 3
_SHOWN = 300  # characters of a finding that quotes a key


class CheckpointError(ValueError):
    """A file that cannot be loaded; the message states the reason and a remedy."""


def identify_config(state: Mapping[str, Tensor]) -> ModelConfig | None:
    """Return the named model with the sizes of a state under official keys, None if there is none.

    It is identified by the regressor's first layer: its width and number of inputs.
    """
    if FIRST_LAYER not in state:
        return None
    is_full = any(f".{FULL_ATTENTION}." in key for key in state)
    attention: AttentionKind = "full" if is_full else "decoupled"
    for config in MODELS.values():
        size = (config.regressor_width, config.channels[-1] + _ESTIMATE_SIZE)
        if tuple(state[FIRST_LAYER].shape) == size:
            return follow_feedback(replace(config, attention=attention), state)
    return None


def follow_feedback(config: ModelConfig, state: Mapping[str, Tensor]) -> ModelConfig:
    """Return a configuration with the optional kinds of feedback that a state has weights for."""
    has_keypoints = not isinstance(config.backbone, str)
    return replace(
        config,
        first_guess_feedback=has_keypoints and FIRST_GUESS_FEEDBACK in state,
        turn_feedback=has_keypoints and TURN_FEEDBACK.format(0) in state,
    )


def optional_keys(config: ModelConfig) -> tuple[str, ...]:
    """Return the official keys that a file or a model may lack: those of optional feedback."""
    if isinstance(config.backbone, str):
        return ()
    return (FIRST_GUESS_FEEDBACK, *(TURN_FEEDBACK.format(n) for n in range(config.blocks)))


def has_transformer(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state under official keys has a Transformer, unlike the first stage's."""
    return any(key.startswith(_TRANSFORMER_PREFIX) for key in state)


def find_likely_cause(state: Mapping[str, Tensor], config: ModelConfig, *, whole: bool) -> str:
    """Return why a file might not fit and what to do, judged by all its keys.

    Args:
        state: tensors in the file, under official keys.
        config: configuration of the model to load into.
        whole: True for a complete SMPLer, False for the model of the first training stage.
    """
    found = identify_config(state)
    if FIRST_LAYER not in state:
        return "it is not a complete SMPLer checkpoint, give one"
    if found and found.name != config.name:
        return f"it is a {found.name} file, choose that model"
    complete = has_transformer(state)
    if whole and not complete:
        return "it is from the backbone stage of training, load it as such"
    if complete and not whole:
        return "it is a complete SMPLer, not of the backbone stage, load it as such"
    if found and found.attention != config.attention:
        return f"it was trained with {found.attention} attention, choose that"
    return "it is damaged or of another version, get it from its source again"


def check_fit(
    expected: Mapping[str, Size], found: Mapping[str, Tensor], *, source: str, cause: str
) -> None:
    """Compare the keys and shapes that a model expects with those of a file.

    Args:
        expected: shape of every official key of the model, or of a part of it.
        found: tensors of that part in the file.
        source: start of the message.
        cause: end of the message.

    Raises:
        CheckpointError: they differ. The message names keys.
    """
    misshapen = [
        f"{key} is {tuple(found[key].shape)} instead of {tuple(shape)}"
        for key, shape in expected.items()
        if key in found and found[key].shape != shape
    ]
    findings = {
        "missing": [key for key in expected if key not in found],
        "unknown": [key for key in found if key not in expected],
        "of another shape": misshapen,
    }
    report = [f"{len(keys)} {kind} ({_abridge(keys)})" for kind, keys in findings.items() if keys]
    if report:
        raise CheckpointError(f"{source} does not fit: keys {', '.join(report)}; {cause}")


def check_tensors(state: Mapping[str, Tensor], *, source: str) -> None:
    """Refuse tensors that are not plain arrays of real numbers.

    Raises:
        CheckpointError: there is such a tensor. The message names its key.
    """
    for key, values in state.items():
        kind = _kind_of(values)
        if kind:
            raise CheckpointError(
                f"{source} must hold plain arrays of real numbers, got {kind} '{key[:_SHOWN]}'; "
                "save the network's own weights"
            )


def check_finite(state: Mapping[str, Tensor], *, source: str) -> None:
    """Refuse weights that are not finite, as no result would be.

    Raises:
        CheckpointError: some are not finite. The message names the first key.
    """
    broken = [key for key, values in state.items() if not _is_finite(values)]
    if broken:
        raise CheckpointError(
            f"{source} must hold finite numbers, got others in {_abridge(broken)}; the training "
            "diverged or the file is damaged, use an earlier one"
        )


def _is_finite(values: Tensor) -> bool:
    # If the sum is finite, so is every term, and a sum takes a fraction of the time.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def _kind_of(values: Tensor) -> str:
    """Name the kind of a tensor that is not a plain array of real numbers; empty if it is one."""
    if values.is_quantized:
        return "the quantised"
    if values.layout != torch.strided:
        return "the sparse"
    if values.is_meta:
        return "the empty (meta)"
    return "the complex" if values.is_complex() else ""


def _abridge(names: list[str]) -> str:
    shown = ", ".join(name[:_SHOWN] for name in names[:_NAMED_KEYS])
    rest = len(names) - _NAMED_KEYS
    return f"{shown} and {rest} more" if rest > 0 else shown
