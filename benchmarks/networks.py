"""Networks for benchmarks: seeded weights, with matching batch-norm statistics.

With an untrained network's statistics, activations become denormal numbers, with which processors
compute a hundred times more slowly.
"""

import torch
from torch import nn

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.network.config import find_model
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler

_IMAGES = 4


def build_seeded_model(name: str, body: BodyArrays | None = None) -> Smpler:
    """Return a named model with seeded weights, in evaluation mode.

    Args:
        name: one of `config.MODELS`.
        body: body to pose; the built-in one if None.
    """
    torch.manual_seed(0)
    model = build_model(find_model(name), body or load_builtin_body())
    side = model.config.image_size
    calibrate(model.backbone, torch.randn(_IMAGES, 3, side, side))
    return model.eval()


@torch.no_grad()
def calibrate(backbone: nn.Module, images: torch.Tensor) -> None:
    """Set each batch norm's statistics to those of its inputs for some images."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # an arithmetic mean instead of a moving one
    backbone.train()(images)
    backbone.eval()
