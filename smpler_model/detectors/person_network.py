"""The network of the detector `person`: people as the centre points of their boxes.

Layout and weights are those of MoveNet MultiPose Lightning without the heads that assign keypoints
to people, see `training.person_detector`.

Source: Zhou et al., "Objects as Points", 2019 (CenterNet).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from smpler_model.network.config import MOBILE_KEYPOINTS, MobileLayout
from smpler_model.network.mobile_pyramid import MobilePyramid, PixelHead, keep_variance

LAYOUT = MobileLayout(stem=48, widths=(24, 40, 48, 96, 144, 240, 480), pyramid=(64, 32, 24, 24))
"""MobileNetV2 at 1.5 times its usual width."""

STRIDE = 4
"""Pixels of the image per pixel of the output maps."""

SIDE_MULTIPLE = 32
"""The sides of images must be multiples of this."""

_HALF_RANGE = 127.5  # bytes become -1 to 1


class PersonNetwork(MobilePyramid):
    """Predicts a heatmap of people's box centres, and the box at each centre."""

    def __init__(self, layout: MobileLayout = LAYOUT) -> None:
        super().__init__(layout)
        fine = layout.pyramid[-1]
        self.centre = PixelHead(fine, 1)
        self.size = PixelHead(fine, 2)
        self.offset = PixelHead(fine, 2)
        self.keypoints = PixelHead(fine, MOBILE_KEYPOINTS)
        self.apply(keep_variance)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the output maps of images.

        Args:
            pixels: (b, h, w, 3) RGB, 0 to 255, the sides multiples of `SIDE_MULTIPLE`.

        Returns:
            (b, 22, h / 4, w / 4): logit of a box's centre; height and width of the box; offset
            from the pixel to the exact centre, y then x, these four in pixels of this map; logits
            of 17 keypoints, of all people together.
        """
        features, seen = self.extract(pixels)
        return self.predict(features, seen)

    def extract(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the features of images, see `MobilePyramid.look` and `forward`."""
        images = pixels.permute(0, 3, 1, 2).to(self.stem.weight.dtype) / _HALF_RANGE - 1
        return self.look(images)

    def predict(self, features: Tensor, seen: Sequence[Tensor]) -> Tensor:
        """Return the output maps of `forward` from the features of images."""
        fine = self.build_pyramid(features, seen)[-1]
        heads = (self.centre, self.size, self.offset, self.keypoints)
        return torch.cat([head(fine) for head in heads], 1)
