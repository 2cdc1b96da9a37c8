"""The initial network of a run."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smpler_model.array_types import AnyFloats
from smpler_model.body.arrays import ARRAY_SHAPES, BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl_file import Gender, load_smpl_file
from smpler_model.checkpoints.files import (
    Checkpoint,
    load_backbone_model,
    load_model,
    load_weights,
    read_checkpoint,
    read_data,
)
from smpler_model.checkpoints.fit import check_fit, follow_feedback, has_transformer
from smpler_model.network.config import ModelConfig, find_model
from smpler_model.network.initialisation import build_backbone_model, build_model
from smpler_model.network.mean_parameters import load_mean_parameters
from smpler_model.network.mobile_backbone import MobileBackbone
from smpler_model.network.smpler import BackboneModel
from training.learning.movenet_weights import KEYPOINT_HEADS, read_movenet
from training.settings import TrainSettings

logger = logging.getLogger(__name__)

_PREFIXES = ("module.", "backbone.")
_HEADS = ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier.", "head.")
"""Heads for classification and for 2D joints, which the backbone lacks."""

_SAME_BODY_M = 1e-4  # float32, and more
_FEEDBACK = ("first_guess_feedback", "turn_feedback")
_SAME_WEIGHT = 1e-6  # of a vertex, float32


def build_starting_model(settings: TrainSettings) -> BackboneModel:
    """Build a run's network from its seed, and load its initial weights.

    Raises:
        ValueError: a file does not fit.
        FileNotFoundError: a file is missing.
    """
    torch.manual_seed(settings.seed)
    initial = read_checkpoint(settings.initial) if settings.initial else None
    given = _find_given(settings, initial)
    wanted = {name: getattr(settings, name) for name in _FEEDBACK}
    config = replace(given, **{name: v for name, v in wanted.items() if v is not None})
    arrays = _choose_body(settings, initial)
    mean = load_mean_parameters(settings.mean_parameters) if settings.mean_parameters else None
    build = build_backbone_model if settings.stage == "backbone" else build_model
    model = build(config, arrays, mean)
    if initial:
        load_weights(model, initial.path)
        for name in _FEEDBACK:
            if getattr(given, name) != (is_wanted := getattr(config, name)):
                fate = "starts at zero" if is_wanted else "is left out"
                logger.warning("%s: %s %s", initial.path, name, fate)
    if settings.backbone_weights:
        load_backbone_weights(model, settings.backbone_weights)
    return model


def _find_given(settings: TrainSettings, initial: Checkpoint | None) -> ModelConfig:
    """Return the configuration of a run's model, with the feedback that its initial weights have.

    Those of the first training stage say nothing about the blocks' feedback.
    """
    config = find_model(settings.model)
    if initial is None:
        return config
    found = follow_feedback(config, initial.state)
    if has_transformer(initial.state):
        return found
    return replace(found, turn_feedback=config.turn_feedback)


def load_arrays(
    body: Path | None, regressor: Path | None, gender: Gender = "neutral"
) -> BodyArrays:
    """Read a body, or the built-in one, and a joint regressor, or the body's own.

    Raises:
        ValueError: a file does not fit, or there is no regressor.
        FileNotFoundError: a file is missing.
    """
    arrays = load_smpl_file(body, gender=gender) if body else load_builtin_body()
    if regressor:
        arrays = replace_regressor(arrays, regressor)
    if arrays.J_regressor_h36m is None:
        raise ValueError(
            f"{body} must come with a 17-joint regressor, got none; set regressor to such a file, "
            "J_regressor_h36m_correct.npy for instance"
        )
    return arrays


def is_builtin(arrays: BodyArrays) -> bool:
    """Return whether a body is the built-in one, whatever its joint regressor."""
    return np.allclose(arrays.v_template, load_builtin_body().v_template, atol=_SAME_BODY_M)


def replace_regressor(arrays: BodyArrays, path: Path) -> BodyArrays:
    """Return a body with the joint regressor of a file.

    Raises:
        ValueError: the file does not fit. Vertices of the built-in body have another order than
            SMPL's, so that only its own regressor fits it.
        FileNotFoundError: there is no such file.
    """
    regressor, own = load_regressor(path), load_builtin_body().J_regressor_h36m
    assert own is not None
    if is_builtin(arrays) and not np.allclose(regressor, own, atol=_SAME_WEIGHT):
        raise ValueError(
            f"the regressor {path} needs the body that it was made for, got the built-in one, "
            "whose vertices have another order than SMPL's; give bodies=models/smpl to evaluate "
            "weights without a body, or body=models/smpl to train, or regressor=null"
        )
    return arrays.with_regressor(regressor)


def load_regressor(path: Path) -> AnyFloats:
    """Read a (17, 6890) joint regressor from a `.npy` file.

    Raises:
        ValueError: it contains something else.
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"regressor must be an existing .npy file, got {path}; correct the setting"
        )
    try:
        with path.open("rb") as file:
            values: AnyFloats = np.load(file, allow_pickle=False)
    except Exception as error:  # a damaged file can raise anything
        raise ValueError(
            f"{path} must be a .npy file, got one that cannot be read as such "
            f"({type(error).__name__}); get it again"
        ) from error
    if not isinstance(values, np.ndarray):
        raise ValueError(
            f"{path} must be a .npy file of one array, got an archive; save its array alone"
        )
    if values.shape != ARRAY_SHAPES["J_regressor_h36m"]:
        raise ValueError(
            f"{path} must be {ARRAY_SHAPES['J_regressor_h36m']}, got {values.shape}; give a "
            "regressor of the 17 joints of Human3.6M"
        )
    return values


def load_backbone_weights(model: BackboneModel, path: Path) -> None:
    """Load pretrained weights into a model's backbone.

    A mobile backbone takes MoveNet's graph, see `movenet_weights`, a high-resolution network a
    file of `torch.save`, without its heads for classes and 2D joints. Networks for 2D joints end
    in the finest map alone: the layers that mix the coarser ones in the last module may be
    missing, and then keep their initial weights. Everything else must fit.

    Raises:
        ValueError: keys or shapes differ, or the file cannot be read.
        FileNotFoundError: there is no such file.
    """
    if isinstance(model.backbone, MobileBackbone):
        model.backbone.load_state_dict(read_movenet(path, model.backbone, KEYPOINT_HEADS))
        return
    if not path.is_file():
        raise FileNotFoundError(
            f"backbone_weights must be a file, got {path}; check the configuration"
        )
    content = read_data(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    found: dict[str, Tensor] = {}
    for key, values in state.items():
        for prefix in _PREFIXES:
            key = key.removeprefix(prefix)
        if isinstance(values, Tensor) and not key.startswith(_HEADS):
            found[key] = values
    own = model.backbone.state_dict()
    last = max(int(key.split(".")[1]) for key in own if key.startswith("stage4."))
    coarser = tuple(f"stage4.{last}.fuse_layers.{scale}." for scale in (1, 2, 3))
    if not any(key.startswith(coarser) for key in found):
        kept = {key: values for key, values in own.items() if key.startswith(coarser)}
        logger.info(
            "%s has no %s: these layers keep their initial weights", path, ", ".join(coarser)
        )
        found |= kept
    check_fit(
        {key: values.shape for key, values in own.items()},
        found,
        source=f"{path} for the backbone of {model.config.name}",
        cause="give the weights of that backbone, from ImageNet or COCO",
    )
    model.backbone.load_state_dict(found)


def _choose_body(settings: TrainSettings, initial: Checkpoint | None) -> BodyArrays:
    if settings.body or not initial or not initial.has_body:
        return load_arrays(settings.body, settings.regressor)
    read = load_model if has_transformer(initial.state) else load_backbone_model
    arrays = read(initial.path, config=find_model(settings.model)).body.arrays()
    return replace_regressor(arrays, settings.regressor) if settings.regressor else arrays
