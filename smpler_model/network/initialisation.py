"""Builds networks with initial weights for training."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

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


class WithoutDraws(TorchFunctionMode):
    """A context in which no initial weights are drawn, which takes most of the time of building.

    Weights hold what their memory held, until they are loaded.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - as in PyTorch
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Return the given tensor as it is where it would be drawn; see PyTorch."""
        kwargs = kwargs or {}
        if func in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


_DRAWS = frozenset(
    (
        *(Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_),
        *(nn.init.kaiming_normal_, nn.init.kaiming_uniform_, nn.init.trunc_normal_),
        *(nn.init.xavier_normal_, nn.init.xavier_uniform_),
    )
)


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
            _ignore(module.turn_feedback)
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
