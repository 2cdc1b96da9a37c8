"""Networks to measure: seeded weights, with batch-norm statistics that fit them.

With an untrained network's statistics the activations sink into denormal numbers, which processors
add up a hundred times more slowly than others.
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
    """Give each batch norm the statistics of what it sees of some images."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean instead of a running one
    backbone.train()(images)
    backbone.eval()
