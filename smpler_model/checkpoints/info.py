"""A description of a SMPLer checkpoint."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.files import (
    Checkpoint,
    load_backbone_model,
    load_model,
    read_checkpoint,
)
from smpler_model.checkpoints.fit import CheckpointError, has_transformer, identify_config
from smpler_model.checkpoints.official_layout import BODY_PREFIX, BODY_REGRESSOR, find_our_key

PAPER_MILLION = 1024**2
"""Divisor of the paper's parameter counts in millions."""

_PARTS = {"backbone.": "backbone", "SMPL_predictor.": "first guess", BODY_PREFIX: "body"}
_LATER_PART = "Transformer"
_BUFFERS = (".running_mean", ".running_var", ".num_batches_tracked")


def describe_checkpoint(path: str | Path, body: BodyArrays | None = None) -> str:
    """Describe a file: its kind, its size, and whether it loads, one finding per line.

    Args:
        path: path of the file.
        body: body for loading a file that has none.

    Raises:
        CheckpointError: the file is damaged, contains more than data, or is not SMPLer's.
        FileNotFoundError: there is no such file.
    """
    checkpoint = read_checkpoint(path)
    state = checkpoint.state
    sizes = _count_parameters(state)
    total = sum(sizes.values())
    rows = {
        "file": str(path),
        "form": _describe_form(checkpoint),
        "model": _describe_model(state),
        "parameters": f"{total:,} trainable, {total / PAPER_MILLION:.1f} M as the paper counts "
        "(divided by 1024^2)",
        "of these": ", ".join(f"{part} {count:,}" for part, count in sizes.items()),
        "numbers": ", ".join(
            sorted({str(v.dtype).removeprefix("torch.") for v in state.values()})
        ),
        "keys": f"{len(state):,}: "
        + ", ".join(f"{part} {n:,}" for part, n in Counter(map(_part_of, state)).items()),
        "body": _describe_body(state),
        "loads": _try_loading(checkpoint, body),
    }
    return "\n".join(f"{name:<11} {text}" for name, text in rows.items())


def list_keys(path: str | Path) -> str:
    """List every key of a file with its shape, type and name in this package, one per line.

    Raises:
        CheckpointError: the file is damaged, contains more than data, or is not SMPLer's.
        FileNotFoundError: there is no such file.
    """
    lines = []
    for key, values in read_checkpoint(path).state.items():
        dtype = str(values.dtype).removeprefix("torch.")
        ours = "body" if key.startswith(BODY_PREFIX) else find_our_key(key) or "unknown"
        lines.append(f"{key}  {tuple(values.shape)}  {dtype}  {ours}")
    return "\n".join(lines)


def _part_of(key: str) -> str:
    return next((part for prefix, part in _PARTS.items() if key.startswith(prefix)), _LATER_PART)


def _count_parameters(state: Mapping[str, Tensor]) -> Counter[str]:
    """Count the trainable parameters: no batch statistics, mean parameters or body."""
    counts: Counter[str] = Counter()
    for key, values in state.items():
        fixed = key.startswith((BODY_PREFIX, "SMPL_predictor.init_")) or key.endswith(_BUFFERS)
        if not fixed:
            counts[_part_of(key)] += values.numel()
    return counts


def _describe_form(checkpoint: Checkpoint) -> str:
    if not checkpoint.nest:
        return "state dict"
    also = f", with {', '.join(map(str, checkpoint.other))}" if checkpoint.other else ""
    return f"dictionary with the state under '{checkpoint.nest}'{also}"


def _describe_model(state: Mapping[str, Tensor]) -> str:
    config = identify_config(state)
    name = config.name if config else "of unknown size"
    if not has_transformer(state):
        return f"{name}, backbone stage of training (no Transformer)"
    return f"{name}, {config.attention} attention" if config else name


def _describe_body(state: Mapping[str, Tensor]) -> str:
    held = sum(key.startswith(BODY_PREFIX) for key in state)
    if not held:
        return "none: loading needs one"
    regressor = "with" if BODY_REGRESSOR in state else "without"
    return f"in the file ({held} arrays), {regressor} a 17-joint regressor"


def _try_loading(checkpoint: Checkpoint, body: BodyArrays | None) -> str:
    load = load_model if has_transformer(checkpoint.state) else load_backbone_model
    try:
        load(checkpoint.path, body=None if checkpoint.has_body else body)
    except CheckpointError as error:
        return f"no: {error}"
    return "yes, every key and shape fits"
