"""Builds networks with initial weights for training."""

import torch
from torch import nn

from smpler_model.body.arrays import BodyArrays
from smpler_model.network.config import ModelConfig
from smpler_model.network.mean_parameters import MeanParameters, upright_parameters
from smpler_model.network.smpler import BackboneModel, RefinementBlock, Regressor, Smpler

_POSITION_SPREAD = 0.1
_DELTA_SPREAD = 1e-3
_UNTURNED = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
"""The identity rotation in the 6D representation."""


def build_model(
    config: ModelConfig, body_arrays: BodyArrays, mean_parameters: MeanParameters | None = None
) -> Smpler:
    """Build a SMPLer network with initial weights, ready for training or for loading a checkpoint.

    Args:
        config: one of `config.MODELS`, or another configuration.
        body_arrays: the body model.
        mean_parameters: start of the regressor; an upright rest pose if None.
    """
    model = Smpler(config, body_arrays, mean_parameters or upright_parameters())
    initialise(model)
    return model


def build_backbone_model(
    config: ModelConfig, body_arrays: BodyArrays, mean_parameters: MeanParameters | None = None
) -> BackboneModel:
    """Build the model of the first training stage; arguments as for `build_model`."""
    model = BackboneModel(config, body_arrays, mean_parameters or upright_parameters())
    initialise(model)
    return model


@torch.no_grad()
def initialise(model: BackboneModel) -> None:
    """Initialise all weights except the backbone's, which timm initialises.

    Every correction starts near zero, so that an untrained network stays near the mean parameters
    instead of crumpling the body. Feedback starts at zero: while the backbone has not learnt to
    find keypoints, it would be noise.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and not name.startswith("backbone."):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Regressor):
            _start_from_zero(module.pose_delta, module.shape_delta, module.camera_delta)
            _ignore(module.feedback)
        elif isinstance(module, RefinementBlock):
            _start_from_zero(module.rotation_delta, module.shape_delta, module.camera_delta)
            _ignore(module.feedback)
            module.rotation_delta.bias.copy_(torch.tensor(_UNTURNED))
            nn.init.normal_(module.query_positions, std=_POSITION_SPREAD)
            nn.init.normal_(module.map_positions, std=_POSITION_SPREAD)


def _start_from_zero(*heads: nn.Linear) -> None:
    for head in heads:
        nn.init.normal_(head.weight, std=_DELTA_SPREAD)
        nn.init.zeros_(head.bias)


def _ignore(feedback: nn.Linear | None) -> None:
    if feedback is not None:
        nn.init.zeros_(feedback.weight)
