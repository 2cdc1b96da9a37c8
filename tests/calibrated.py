"""Networks with seeded weights that every part of the network feels."""

import copy

import torch
from torch import nn

from smpler_model.body.arrays import BodyArrays
from smpler_model.network.config import ModelConfig
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler

_BIAS_SPREAD = 0.02
_DELTA_SPREAD = 0.003
_DRAWN = ("pose_delta.weight", "rotation_delta.weight", "bias_table", "feedback.weight")


def calibrated_model(config: ModelConfig, body: BodyArrays, seed: int = 0) -> Smpler:
    """Return a network in evaluation mode whose estimates depend on the image.

    Batch norms get the statistics of a few seeded images, see `calibrate_norms`. Everything that
    starts at zero is drawn at random.
    """
    torch.manual_seed(seed)
    model = build_model(config, body)
    side = config.image_size
    with torch.no_grad():
        for name, values in model.named_parameters():
            if values.ndim == 1 and not name.startswith(("backbone.", "regressor.camera")):
                values += _BIAS_SPREAD * torch.randn_like(values)
            elif name.endswith(_DRAWN):
                values += _DELTA_SPREAD * torch.randn_like(values)
        model.regressor.initial_camera.copy_(torch.tensor([[0.8, 0.05, 0.1]]))
        calibrate_norms(model.backbone, torch.randn(4, 3, side, side))
    return copy.deepcopy(model).eval()


def calibrate_norms(backbone: nn.Module, images: torch.Tensor) -> None:
    """Set each batch norm's statistics to those of its inputs for (b, 3, s, s) images.

    With those of an untrained network, activations vanish or grow from module to module.
    """
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # an arithmetic mean over all batches
    with torch.no_grad():
        backbone.train()(images)
