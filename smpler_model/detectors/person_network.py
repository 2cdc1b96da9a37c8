"""The network of the detector `person`: people as the points in their boxes' middles.

Its layout is that of MoveNet MultiPose Lightning without the heads that tell whose keypoint is
where, and its weights are that network's, see `training.person_detector`.

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
"""Pixels of the image to a pixel of the answer."""

SIDE_MULTIPLE = 32
"""What the sides of images are multiples of."""

_HALF_RANGE = 127.5  # bytes become -1 to 1


class PersonNetwork(MobilePyramid):
    """Says of each pixel whether it is the middle of a person, and how far the box reaches."""

    def __init__(self, layout: MobileLayout = LAYOUT) -> None:
        super().__init__(layout)
        fine = layout.pyramid[-1]
        self.centre = PixelHead(fine, 1)
        self.size = PixelHead(fine, 2)
        self.offset = PixelHead(fine, 2)
        self.keypoints = PixelHead(fine, MOBILE_KEYPOINTS)
        self.apply(keep_variance)

    def forward(self, pixels: Tensor) -> Tensor:
        """Look for people.

        Args:
            pixels: (b, h, w, 3) RGB, 0 to 255, the sides multiples of `SIDE_MULTIPLE`.

        Returns:
            (b, 22, h / 4, w / 4): logit of a person's middle; height and width of the box; from
            the pixel to the exact middle, y then x, these four in pixels of this map; logits of
            17 keypoints, whoever's they are.
        """
        features, seen = self.look_at(pixels)
        return self.say(features, seen)

    def look_at(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the features of images, see `MobilePyramid.look` and `forward`."""
        images = pixels.permute(0, 3, 1, 2).to(self.stem.weight.dtype) / _HALF_RANGE - 1
        return self.look(images)

    def say(self, features: Tensor, seen: Sequence[Tensor]) -> Tensor:
        """Return what `forward` does, from the features of images."""
        fine = self.build_pyramid(features, seen)[-1]
        heads = (self.centre, self.size, self.offset, self.keypoints)
        return torch.cat([head(fine) for head in heads], 1)
