"""A backbone that gets deeper from one run to the next, and at first answers as it did."""

from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from smpler_model.checkpoint import Checkpoint
from smpler_model.config import HrnetLayout, ModelConfig, find_model
from smpler_model.network import BackboneModel
from training.settings import TrainSettings

AnyModel = TypeVar("AnyModel", bound=BackboneModel)

_LAST_STAGE = "backbone.stage4."


def configure_model(settings: TrainSettings) -> ModelConfig:
    """Return a run's network, with as many modules in its last stage as the run asks for.

    Raises:
        ValueError: there is no such model, or its backbone is not a layout of our own.
    """
    config = find_model(settings.model)
    if not settings.last_modules:
        return config
    if isinstance(config.backbone, str):
        raise ValueError(
            f"last_modules must be 0 for {config.name}, got {settings.last_modules}; its backbone "
            f"is {config.backbone} as it is"
        )
    return _with_last_modules(config, config.backbone, settings.last_modules)


def configure_initial(initial: Checkpoint, config: ModelConfig) -> ModelConfig:
    """Return the configuration of a file to begin with: a run's, or one less deep."""
    numbers = {
        int(key.removeprefix(_LAST_STAGE).split(".")[0])
        for key in initial.state
        if key.startswith(_LAST_STAGE)
    }
    if isinstance(config.backbone, str) or not numbers:
        return config
    modules = min(len(numbers), config.backbone.modules[-1])
    return _with_last_modules(config, config.backbone, modules)


@torch.no_grad()
def deepen(loaded: AnyModel, deeper: AnyModel) -> AnyModel:
    """Give a network's weights to one whose last stage has more modules; these change nothing yet.

    What a residual block or the path from another branch adds ends in a batch norm: scaled by
    zero it adds nothing, and it learns from the first step on, by that scale.

    Returns:
        The deeper network, or the loaded one if both are as deep.
    """
    state = loaded.state_dict()
    names = [name for name in deeper.state_dict() if name not in state]
    if not names:
        return loaded
    deeper.load_state_dict(state, strict=False)
    for number in sorted({name.removeprefix(_LAST_STAGE).split(".")[0] for name in names}):
        _silence(deeper.get_submodule(f"{_LAST_STAGE}{number}"))
    return deeper


def _silence(module: Any) -> None:  # noqa: ANN401 - timm is untyped
    """Let an exchange module pass on what it gets."""
    norms = [block.bn2 for branch in module.branches for block in branch]
    for paths in module.fuse_layers:
        for path in paths:
            norms += [layer for layer in path.modules() if isinstance(layer, nn.BatchNorm2d)][-1:]
    for norm in norms:
        norm.weight.zero_()


def _with_last_modules(config: ModelConfig, layout: HrnetLayout, count: int) -> ModelConfig:
    modules = (*layout.modules[:2], count)
    return replace(config, backbone=replace(layout, modules=modules))
