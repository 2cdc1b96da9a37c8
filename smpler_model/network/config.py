"""The named models and their hyperparameters."""

from dataclasses import dataclass, replace
from typing import Literal

AttentionKind = Literal["decoupled", "full"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_NEED_KEYPOINTS = (
    "keypoint_feedback",
    "turn_feedback",
    "first_guess_feedback",
    "limb_alignment",
    "trunk_alignment",
)

MOBILE_KEYPOINTS = 17
"""COCO's: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, left before right."""


@dataclass(frozen=True)
class MobileLayout:
    """A MobileNetV2 with a feature pyramid and keypoint heads, as deep as MobileNetV2.

    The defaults are those of MoveNet Lightning, which has no pose branch.

    Attributes:
        stem: channels of the first convolution.
        widths: channels of the seven groups of blocks, finest first.
        last: channels of the coarsest features.
        pyramid: channels of the pyramid at strides 32, 16, 8 and 4.
        pose_features: channels of the coarsest features of a second branch from stride 8 on, see
            `mobile_backbone.PoseBranch`; 0 for none.
    """

    stem: int = 32
    widths: tuple[int, int, int, int, int, int, int] = (16, 24, 32, 64, 96, 160, 320)
    last: int = 1280
    pyramid: tuple[int, int, int, int] = (64, 32, 24, 24)
    pose_features: int = 0

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of the four maps, finest first.

        The finest map also contains a map for each keypoint and the pixels' x and y, the coarsest
        also x, y and visibility of each keypoint.
        """
        _, coarse, middle, fine = self.pyramid
        return (
            fine + MOBILE_KEYPOINTS + 2,
            middle,
            coarse,
            (self.pose_features or self.last) + 3 * MOBILE_KEYPOINTS,
        )


@dataclass(frozen=True)
class ModelConfig:
    """All hyperparameters of a SMPLer network.

    Attributes:
        name: key in `MODELS`.
        backbone: timm's name of a high-resolution network, or the layout of a mobile backbone.
        channels: channels of its four maps, finest first.
        width: channels c of queries and image tokens.
        heads: number of attention heads; `width` must be a multiple of it.
        blocks: number of Transformer blocks, each of which refines the estimate.
        units: number of attention units per block.
        attention: `decoupled` for the model itself; `full` for joint self-attention over image and
            target tokens, to measure what decoupling saves.
        dropout: rate in the Transformer, in training only.
        regressor_width: hidden channels of the regressor for the initial estimate.
        regressor_iterations: number of refinements by that regressor.
        regressor_dropout: dropout rate of that regressor, in training only.
        keypoint_feedback: whether each block gets the offsets from the estimate so far to the
            mobile backbone's keypoints; not part of SMPLer.
        turn_feedback: whether each block gets the turns that would bring the estimate's bones to
            these keypoints, see `turn_feedback`; not part of SMPLer, either.
        first_guess_feedback: whether the regressor gets the offsets as well.
        limb_alignment: whether the last estimate's limbs are turned towards these keypoints, see
            `limb_alignment.LimbAlignment`; not part of SMPLer, either.
        trunk_alignment: whether its pelvis and chest are, before the limbs, see
            `trunk_alignment.TrunkAlignment`; not part of SMPLer, either.
        image_size: side of the square crop in pixels; a multiple of 32.
        mean: mean of RGB in [0, 1], subtracted from the input.
        std: standard deviation of RGB in [0, 1], by which the input is divided.
    """

    name: str
    backbone: str | MobileLayout
    channels: tuple[int, int, int, int]
    width: int = 128
    heads: int = 4
    blocks: int = 3
    units: int = 2
    attention: AttentionKind = "decoupled"
    dropout: float = 0.1
    regressor_width: int = 1024
    regressor_iterations: int = 3
    regressor_dropout: float = 0.5
    keypoint_feedback: bool = False
    turn_feedback: bool = False
    first_guess_feedback: bool = False
    limb_alignment: bool = False
    trunk_alignment: bool = False
    image_size: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"width must be a multiple of heads, got {self.width} and {self.heads}; "
                f"choose {max(self.width // self.heads, 1) * self.heads}"
            )
        if self.image_size % 32:
            raise ValueError(
                f"image_size must be a multiple of 32, got {self.image_size}; the backbone halves "
                "it five times"
            )
        for name in _NEED_KEYPOINTS:
            if getattr(self, name) and isinstance(self.backbone, str):
                raise ValueError(
                    f"{name} needs a mobile backbone, got '{self.backbone}'; switch it off"
                )
        if self.attention not in ("decoupled", "full"):
            raise ValueError(f"attention must be 'decoupled' or 'full', got '{self.attention}'")

    @property
    def uses_keypoints(self) -> bool:
        """Whether estimates use the mobile backbone's keypoints."""
        return any(getattr(self, name) for name in _NEED_KEYPOINTS)

    @property
    def feature_sizes(self) -> tuple[int, int, int, int]:
        """Side lengths of the four feature maps, finest first."""
        return (
            self.image_size // 4,
            self.image_size // 8,
            self.image_size // 16,
            self.image_size // 32,
        )


SMPLER_W32 = ModelConfig("smpler_w32", "hrnet_w32", (32, 64, 128, 256))
"""SMPLer, as published."""

SMPLER_W48 = ModelConfig("smpler_w48", "hrnet_w48", (48, 96, 192, 384))
"""SMPLer-L, as published."""

_NANO_LAYOUT = MobileLayout(pose_features=640)

SMPLER_NANO = ModelConfig(
    "smpler_nano",
    _NANO_LAYOUT,
    _NANO_LAYOUT.channels,
    width=64,
    blocks=2,
    units=1,
    dropout=0.0,
    regressor_width=512,
    regressor_dropout=0.0,
    keypoint_feedback=True,
    turn_feedback=True,
    limb_alignment=True,
    trunk_alignment=True,
    image_size=160,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
"""The same network for two CPU cores, with a backbone that starts from pretrained weights."""

MODELS = {config.name: config for config in (SMPLER_W32, SMPLER_W48, SMPLER_NANO)}
"""Models by name."""


def find_model(name: str, *, attention: AttentionKind = "decoupled") -> ModelConfig:
    """Return a named model's configuration.

    Raises:
        ValueError: there is no model of that name.
    """
    if name not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got '{name}'")
    return replace(MODELS[name], attention=attention)
