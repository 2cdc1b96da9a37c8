"""What MoveNet's networks have in common: MobileNetV2 and a feature pyramid down to stride 4.

Their batch norms are folded into the convolutions, so there are none here.

Source: Sandler et al., "MobileNetV2", CVPR 2018; Lin et al., "Feature Pyramid Networks for Object
Detection", CVPR 2017.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.network.config import MobileLayout

_EXPANSION = 6
_TENSORFLOWS_PADDING = (0, 1, 0, 1)  # of images of even size before a convolution of stride 2
_HEAD_WIDTH = 96
_REPEATS = (1, 2, 3, 4, 3, 3, 1)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_LATERAL = (1, 2, 3)  # groups that feed the pyramid: strides 4, 8 and 16


class MobilePyramid(nn.Module):
    """MobileNetV2 with a feature pyramid; subclasses add heads."""

    def __init__(self, layout: MobileLayout) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d(_TENSORFLOWS_PADDING)
        self.stem = nn.Conv2d(3, layout.stem, 3, stride=2)
        self.groups = nn.ModuleList(build_group(layout, n) for n in range(len(layout.widths)))
        self.last = nn.Conv2d(layout.widths[-1], layout.last, 1)
        self.activation = nn.ReLU6()
        coarsest, *finer = layout.pyramid
        self.top = nn.Conv2d(layout.last, coarsest, 1)
        inputs = [layout.widths[group] for group in reversed(_LATERAL)]
        merged = (coarsest, *finer[:-1])
        self.laterals = nn.ModuleList(
            nn.Conv2d(*pair, 1) for pair in zip(inputs, merged, strict=True)
        )
        self.merges = nn.ModuleList(
            SeparableConvolution(*pair) for pair in zip(merged, finer, strict=True)
        )

    def see(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the coarsest features and the pyramid of images (b, 3, h, w).

        Args:
            images: their sides are multiples of 32.

        Returns:
            (b, last, h / 32, w / 32), and (b, n, h / 32, w / 32) to (b, n, h / 4, w / 4).
        """
        features, seen = self.look(images)
        return features, self.build_pyramid(features, seen)

    def look(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return MobileNetV2's coarsest features, and those of strides 4, 8 and 16.

        Args:
            images: (b, 3, h, w), as for `see`.
        """
        x = self.activation(self.stem(self.pad(images)))
        seen = []
        for number, group in enumerate(self.groups):
            x = group(x)
            if number in _LATERAL:
                seen.append(x)
        return self.activation(self.last(x)), seen

    def build_pyramid(self, features: Tensor, seen: Sequence[Tensor]) -> list[Tensor]:
        """Return the pyramid, the coarsest map first, from what `look` returned."""
        pyramid = [self.top(features)]
        for lateral, merge, finer in zip(self.laterals, self.merges, reversed(seen), strict=True):
            enlarged = F.interpolate(pyramid[-1], scale_factor=2.0, mode="bilinear")
            pyramid.append(merge(enlarged + lateral(finer)))
        return pyramid


def build_group(layout: MobileLayout, number: int) -> nn.Sequential:
    """Return the blocks of one of MobileNetV2's seven groups, numbered from 0."""
    width = layout.widths[number - 1] if number else layout.stem
    channels, expansion = layout.widths[number], _EXPANSION if number else 1
    first = InvertedResidual(width, channels, expansion, _STRIDES[number])
    repeats = range(1, _REPEATS[number])
    return nn.Sequential(
        first, *(InvertedResidual(channels, channels, expansion, 1) for _ in repeats)
    )


def keep_variance(module: nn.Module) -> None:
    """Initialise a convolution; without norms, only the weights keep activations in proportion."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, convolve each channel separately, project."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = nn.Conv2d(inputs, width, 1) if expansion > 1 else nn.Identity()
        even = stride > 1
        self.pad = nn.ZeroPad2d(_TENSORFLOWS_PADDING) if even else nn.Identity()
        self.depthwise = nn.Conv2d(width, width, 3, stride, padding=0 if even else 1, groups=width)
        self.project = nn.Conv2d(width, outputs, 1)
        self.activation = nn.ReLU6()
        self.widens = expansion > 1
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        wide = self.activation(self.expand(x)) if self.widens else x
        narrow: Tensor = self.project(self.activation(self.depthwise(self.pad(wide))))
        return x + narrow if self.adds else narrow


class SeparableConvolution(nn.Module):
    """A depthwise 3x3 convolution, then a pointwise one with ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h, w)."""
        mixed: Tensor = self.activation(self.pointwise(self.depthwise(x)))
        return mixed


class PixelHead(nn.Sequential):
    """Predicts numbers for each pixel of the pyramid's finest map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            SeparableConvolution(inputs, _HEAD_WIDTH), nn.Conv2d(_HEAD_WIDTH, outputs, 1)
        )
