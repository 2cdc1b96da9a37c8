"""A backbone pretrained on people: MobileNetV2, a feature pyramid and heads for 17 keypoints.

Its layout is that of MoveNet, so that training can start from MoveNet's weights. Those have batch
norms folded into the convolutions, so there are none here.

Source: Sandler et al., "MobileNetV2", CVPR 2018; Lin et al., "Feature Pyramid Networks for Object
Detection", CVPR 2017; Zhou et al., "Objects as Points", 2019. Differs: keypoints are means over
pixels instead of the best pixel, so that gradients flow through them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.network.config import MOBILE_KEYPOINTS, MobileLayout

_EXPANSION = 6
_TENSORFLOWS_PADDING = (0, 1, 0, 1)  # of images of even size before a convolution of stride 2
_HEAD_WIDTH = 96
_NEAR = 1.8  # pixels of the finest map, beyond which the preference for near pixels sets in
_ALMOST_NOTHING = 1e-12  # gives the square root a gradient at zero
_SHARPNESS = 6.0  # the larger, the closer a mean over pixels is to the best pixel


_REPEATS = (1, 2, 3, 4, 3, 3, 1)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_LATERAL = (1, 2, 3)  # groups that feed the pyramid: strides 4, 8 and 16


class MobileBackbone(nn.Module):
    """Returns four maps with strides 4 to 32; see `MobileLayout.channels`."""

    def __init__(self, layout: MobileLayout) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d(_TENSORFLOWS_PADDING)
        self.stem = nn.Conv2d(3, layout.stem, 3, stride=2)
        groups, width = [], layout.stem
        for number, (channels, repeats, stride) in enumerate(
            zip(layout.widths, _REPEATS, _STRIDES, strict=True)
        ):
            expansion = _EXPANSION if number else 1
            blocks = [InvertedResidual(width, channels, expansion, stride)]
            blocks += [
                InvertedResidual(channels, channels, expansion, 1) for _ in range(1, repeats)
            ]
            groups.append(nn.Sequential(*blocks))
            width = channels
        self.groups = nn.ModuleList(groups)
        self.last = nn.Conv2d(width, layout.last, 1)
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
        self.heat = KeypointHead(finer[-1], MOBILE_KEYPOINTS)
        self.centre = KeypointHead(finer[-1], 1)
        self.reach = KeypointHead(finer[-1], 2 * MOBILE_KEYPOINTS)
        self.offset = KeypointHead(finer[-1], 2 * MOBILE_KEYPOINTS)
        self.reader = KeypointReader()
        self.places = PixelPlaces()
        self.apply(_keep_variance)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(b, 3, s, s) -> four maps (b, n, s / 4, s / 4) to (b, n, s / 32, s / 32)."""
        x = self.activation(self.stem(self.pad(images)))
        seen = []
        for number, group in enumerate(self.groups):
            x = group(x)
            if number in _LATERAL:
                seen.append(x)
        features = self.activation(self.last(x))
        pyramid = [self.top(features)]
        for lateral, merge, finer in zip(self.laterals, self.merges, reversed(seen), strict=True):
            enlarged = F.interpolate(pyramid[-1], scale_factor=2.0, mode="bilinear")
            pyramid.append(merge(enlarged + lateral(finer)))
        _, coarse, middle, fine = pyramid
        heat = self.heat(fine)
        numbers = self.reader(heat, self.centre(fine), self.reach(fine), self.offset(fine))
        known = numbers.flatten(1)[:, :, None, None] + torch.zeros_like(features[:, :1])
        return [
            torch.cat((fine, heat.sigmoid(), self.places(fine)), 1),
            middle,
            coarse,
            torch.cat((features, known), 1),
        ]


def _keep_variance(module: nn.Module) -> None:
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


class KeypointHead(nn.Sequential):
    """Predicts numbers for each pixel of the pyramid's finest map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            SeparableConvolution(inputs, _HEAD_WIDTH), nn.Conv2d(_HEAD_WIDTH, outputs, 1)
        )


class KeypointReader(nn.Module):
    """Turns the heads' maps into the keypoints of the person in the centre; it has no weights.

    Pixels near the person's centre predict roughly where all keypoints are. In a keypoint's own
    map, pixels near that position count more, so that the limbs of neighbours are ignored.
    """

    def forward(self, heat: Tensor, centre: Tensor, reach: Tensor, offset: Tensor) -> Tensor:
        """Read keypoints.

        Args:
            heat: (b, 17, h, w) logits of each keypoint.
            centre: (b, 1, h, w) logits of person centres.
            reach: (b, 34, h, w) from a centre to the person's keypoints, y then x, in pixels.
            offset: (b, 34, h, w) from a keypoint's pixel to its exact position, y then x, in
                pixels.

        Returns:
            (b, 17, 3): x and y, where the crop spans [-1, 1], and the visibility, 0 to 1.
        """
        asked, side = heat.dtype, heat.shape[-1]
        wide = torch.promote_types(asked, torch.float32)  # half precision is too coarse
        heat, centre, reach, offset = (maps.to(wide) for maps in (heat, centre, reach, offset))
        steps = torch.arange(side, device=heat.device, dtype=wide)
        places = torch.stack(torch.meshgrid(steps, steps, indexing="ij")).flatten(1)  # (2, n)
        shape = (-1, MOBILE_KEYPOINTS, 2, side * side)
        reach, offset = (maps.reshape(shape) for maps in (reach, offset))
        away = torch.linalg.vector_norm(places - (side - 1) / 2, dim=0)  # (n,)
        middle = _weigh(-F.softplus(-centre.flatten(2)) - (away + _NEAR).log())  # (b, 1, n)
        rough = ((places + reach) * middle[:, :, None]).sum(-1)  # (b, 17, 2)
        down, across = (places - rough[..., None]).unbind(2)
        # Much faster than a norm over such a short axis.
        away = (down.square() + across.square() + _ALMOST_NOTHING).sqrt()  # (b, 17, n)
        seen = -F.softplus(-heat.flatten(2))  # the log-likelihood
        near = _weigh(seen - (away + _NEAR).log())
        exact = ((places + offset) * near[:, :, None]).sum(-1)
        down, across = (exact * (2 / side) - 1).unbind(-1)
        return torch.stack((across, down, (seen.exp() * near).sum(-1)), -1).to(asked)


class PixelPlaces(nn.Module):
    """Adds the coordinates of each pixel.

    From the features at a joint and around it, the joint's query thus learns in which direction
    the joint should move.
    """

    def forward(self, feature_map: Tensor) -> Tensor:
        """(b, n, s, s) -> (b, 2, s, s) x and y of the pixels' centres; the crop spans [-1, 1]."""
        side = feature_map.shape[-1]
        steps = torch.arange(side, device=feature_map.device, dtype=torch.float32)
        centres = ((2 * steps + 1) / side - 1).to(feature_map.dtype)
        down, across = torch.meshgrid(centres, centres, indexing="ij")
        return torch.stack((across, down)) + torch.zeros_like(feature_map[:, :2])


def _weigh(scores: Tensor) -> Tensor:
    """(b, k, n) log-likelihoods -> weights over the pixels that sum to 1."""
    return (_SHARPNESS * scores).softmax(-1)
