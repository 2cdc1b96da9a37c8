"""The convolutional backbone: a high-resolution network from timm, or the mobile backbone.

Source: Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition",
TPAMI 2020.
"""

from torch import nn

from smpler_model.network.config import MobileLayout, ModelConfig
from smpler_model.network.mobile_backbone import MobileBackbone
from smpler_model.network.torchvision_operators import import_torchvision

_BRANCH_MAPS = (1, 2, 3, 4)
"""timm numbers the four maps from one; its map zero is that of the stem, at stride 2."""


def build_backbone(config: ModelConfig) -> nn.Module:
    """Build the network that turns (b, 3, s, s) images into four feature maps.

    timm's state keys are those under `backbone.` in the official checkpoints.

    Returns:
        A module that returns a list of four maps (b, c_i, s / 2^(i+2), s / 2^(i+2)), with the
        config's channels c_i, finest first.
    """
    if isinstance(config.backbone, MobileLayout):
        return MobileBackbone(config.backbone)
    import_torchvision()  # before timm imports it, which fails if its build does not fit torch's
    import timm

    network: nn.Module = timm.create_model(
        config.backbone, features_only=True, feature_location="", out_indices=_BRANCH_MAPS
    )
    return network


def name_stem(config: ModelConfig) -> tuple[str, ...] | None:
    """Return the names of a backbone's first convolutions, which stay exact in half precision.

    They process the most pixels: their rounding rotates people more than that of all others. None
    for a mobile backbone, all of which stays exact: it has no norms, and the keypoints that it
    reads move with every layer's rounding.
    """
    return None if isinstance(config.backbone, MobileLayout) else ("conv1", "conv2")
