"""A SMPLer as the released ones are built, on a network that is small enough for a test."""

from smpler_model.network.config import ModelConfig

SMALL_HRNET = ModelConfig(
    "small_hrnet",
    "hrnet_w18_small",
    (16, 32, 64, 128),
    width=64,
    blocks=2,
    units=1,
    dropout=0.0,
    regressor_width=256,
    regressor_dropout=0.0,
    image_size=64,
)
"""Its backbone has batch norms, which that of `smpler_nano` has not."""
