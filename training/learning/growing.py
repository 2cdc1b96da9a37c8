"""Grows a network from run to run: deeper, wider, or for larger images.

New parts of a backbone have no effect at first: the grown network gives the same outputs.
"""

from dataclasses import replace
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.checkpoints.files import Checkpoint
from smpler_model.checkpoints.fit import identify_image_size
from smpler_model.network.config import HrnetLayout, ModelConfig, find_model
from smpler_model.network.smpler import BackboneModel
from training.settings import TrainSettings

AnyModel = TypeVar("AnyModel", bound=BackboneModel)

_LAST_STAGE = "backbone.stage4."
_FINEST = f"{_LAST_STAGE}0.branches.0.0.conv1.weight"
"""A weight whose first size is the number of channels of the finest branch."""
_PLACES = ".map_positions"
"""Names of weights (1, c, side, side), one per pixel of the finest map, end in this."""
_FIRST_HIDDEN = "regressor.hidden.0.weight"
"""A weight whose columns are the coarsest map's channels, then the current estimate."""


def configure_model(settings: TrainSettings) -> ModelConfig:
    """Return a run's network configuration, with its width, depth and image size.

    Raises:
        ValueError: there is no such model, its backbone is not a layout of this package, or the
            side of the images is not a multiple of 32.
    """
    config = find_model(settings.model)
    config = replace(config, image_size=settings.crop_side or config.image_size)
    asked = {name: getattr(settings, name) for name in ("last_modules", "backbone_width")}
    for name, value in asked.items():
        if value and not isinstance(config.backbone, HrnetLayout):
            raise ValueError(
                f"{name} must be 0 for {config.name}, got {value}; its backbone {config.backbone} "
                "cannot be changed"
            )
    if not isinstance(config.backbone, HrnetLayout):
        return config
    layout = config.backbone
    modules = settings.last_modules or layout.modules[-1]
    return _with_layout(config, layout, modules, settings.backbone_width or layout.width)


def configure_initial(initial: Checkpoint, config: ModelConfig) -> ModelConfig:
    """Return the configuration of an initial checkpoint.

    It is the run's, or that of a network that is less deep, less wide or for other images.
    """
    side = identify_image_size(initial.state) or config.image_size
    config = replace(config, image_size=side)
    numbers = {
        int(key.removeprefix(_LAST_STAGE).split(".")[0])
        for key in initial.state
        if key.startswith(_LAST_STAGE)
    }
    if not isinstance(config.backbone, HrnetLayout) or _FINEST not in initial.state:
        return config
    modules = min(len(numbers), config.backbone.modules[-1])
    width = min(len(initial.state[_FINEST]), config.backbone.width)
    return _with_layout(config, config.backbone, modules, width)


@torch.no_grad()
def grow(loaded: AnyModel, grown: AnyModel) -> AnyModel:
    """Copy a network's weights into one that is deeper, wider or for other images.

    New parts of the backbone have no effect yet. Each residual block, and each path from another
    branch, ends in a batch norm: scaled by zero it adds nothing, and that scale learns from the
    first step on. New channels keep their initial weights; the weights that read them start at
    zero and learn as well. Position embeddings are interpolated.

    Args:
        loaded: model with the loaded weights.
        grown: new model, with at least as many modules in its last stage and at least as many
            channels, for images of any size; it is modified.

    Returns:
        The grown network, or the loaded one if both have the same size.
    """
    state, fresh = loaded.state_dict(), grown.state_dict()
    if {n: v.shape for n, v in state.items()} == {n: v.shape for n, v in fresh.items()}:
        return loaded
    columns = (loaded.config.channels[-1], grown.config.channels[-1])
    for name, values in state.items():
        if name == _FIRST_HIDDEN:
            fresh[name][:, columns[0] : columns[1]] = 0
            fresh[name][:, : columns[0]] = values[:, : columns[0]]
            fresh[name][:, columns[1] :] = values[:, columns[0] :]
        elif name.endswith(_PLACES):
            size = fresh[name].shape[-2:]
            fresh[name][:] = F.interpolate(values, size, mode="bilinear")
        else:
            _fill(fresh[name], values)
    names = fresh.keys() - state.keys()
    for number in sorted({name.removeprefix(_LAST_STAGE).split(".")[0] for name in names}):
        _silence(grown.get_submodule(f"{_LAST_STAGE}{number}"))
    return grown


def _fill(fresh: Tensor, values: Tensor) -> None:
    """Copy weights into the front of larger ones, with zero weights for new inputs."""
    if fresh.ndim > 1:
        fresh[: len(values)] = 0
    fresh[tuple(slice(size) for size in values.shape)] = values


def _silence(module: Any) -> None:  # noqa: ANN401 - timm is untyped
    """Make an exchange module pass on its inputs."""
    norms = [block.bn2 for branch in module.branches for block in branch]
    for paths in module.fuse_layers:
        for path in paths:
            norms += [layer for layer in path.modules() if isinstance(layer, nn.BatchNorm2d)][-1:]
    for norm in norms:
        norm.weight.zero_()


def _with_layout(
    config: ModelConfig, layout: HrnetLayout, last_modules: int, width: int
) -> ModelConfig:
    modules = (*layout.modules[:2], last_modules)
    first, second, third, fourth = (width << branch for branch in range(4))
    return replace(
        config,
        backbone=replace(layout, modules=modules, width=width),
        channels=(first, second, third, fourth),
    )
