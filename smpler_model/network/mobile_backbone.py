"""A backbone pretrained on people: a `MobilePyramid` with heads for 17 keypoints.

Its layout is that of MoveNet Lightning, so that training can start from MoveNet's weights. A
second branch of the same blocks gives features for the pose: those that find keypoints best say
little about depth, and lose the keypoints when they are trained for it.

Source: Zhou et al., "Objects as Points", 2019. Differs: keypoints are means over pixels instead of
the best pixel, so that gradients flow through them.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.network.config import MOBILE_KEYPOINTS, MobileLayout
from smpler_model.network.mobile_pyramid import (
    MobilePyramid,
    PixelHead,
    build_group,
    keep_variance,
)

_NEAR = 1.8  # pixels of the finest map, beyond which the preference for near pixels sets in
_ALMOST_NOTHING = 1e-12  # gives the square root a gradient at zero
_SHARPNESS = 6.0  # the larger, the closer a mean over pixels is to the best pixel


BRANCH = "branch"
"""Name of the pose branch in `MobileBackbone`."""

FIRST_BRANCHED = 3
"""The first group of blocks, numbered from 0, of which the pose branch has its own."""


class PoseBranch(nn.Module):
    """MobileNetV2's blocks from stride 8 on, once more, for features of the pose alone."""

    def __init__(self, layout: MobileLayout) -> None:
        super().__init__()
        numbers = range(FIRST_BRANCHED, len(layout.widths))
        self.groups = nn.Sequential(*(build_group(layout, number) for number in numbers))
        self.last = nn.Conv2d(layout.widths[-1], layout.pose_features, 1)
        self.activation = nn.ReLU6()

    def forward(self, seen: Tensor) -> Tensor:
        """(b, c, h / 8, w / 8) -> (b, pose_features, h / 32, w / 32)."""
        features: Tensor = self.activation(self.last(self.groups(seen)))
        return features


class KeypointMaps(NamedTuple):
    """Outputs of the heads for each pixel of the finest map.

    Attributes:
        heat: (b, 17, h, w) logits of each keypoint.
        centre: (b, 1, h, w) logits of person centres.
        reach: (b, 34, h, w) from a centre to the person's keypoints, y then x, in pixels.
        offset: (b, 34, h, w) from a keypoint's pixel to its exact position, y then x, in pixels.
    """

    heat: Tensor
    centre: Tensor
    reach: Tensor
    offset: Tensor


class MobileBackbone(MobilePyramid):
    """Returns four maps with strides 4 to 32; see `MobileLayout.channels`."""

    def __init__(self, layout: MobileLayout) -> None:
        super().__init__(layout)
        fine = layout.pyramid[-1]
        self.heat = PixelHead(fine, MOBILE_KEYPOINTS)
        self.centre = PixelHead(fine, 1)
        self.reach = PixelHead(fine, 2 * MOBILE_KEYPOINTS)
        self.offset = PixelHead(fine, 2 * MOBILE_KEYPOINTS)
        self.reader = KeypointReader()
        self.places = PixelPlaces()
        self.branch = PoseBranch(layout) if layout.pose_features else None
        self.apply(keep_variance)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(b, 3, s, s) -> four maps (b, n, s / 4, s / 4) to (b, n, s / 32, s / 32)."""
        features, seen = self.look(images)
        _, coarse, middle, fine = self.build_pyramid(features, seen)
        if self.branch is not None:
            _, shared, _ = seen  # of stride 8
            features = self.branch(shared)
        maps = self._ask_heads(fine)
        numbers = self.reader(*maps)
        known = numbers.flatten(1)[:, :, None, None] + torch.zeros_like(features[:, :1])
        return [
            torch.cat((fine, maps.heat.sigmoid(), self.places(fine)), 1),
            middle,
            coarse,
            torch.cat((features, known), 1),
        ]

    def map_keypoints(self, images: Tensor) -> KeypointMaps:
        """Return the heads' maps alone, of stride 4, for images (b, 3, s, s)."""
        return self._ask_heads(self.build_pyramid(*self.look(images))[-1])

    def _ask_heads(self, fine: Tensor) -> KeypointMaps:
        return KeypointMaps(
            self.heat(fine), self.centre(fine), self.reach(fine), self.offset(fine)
        )


class KeypointReader(nn.Module):
    """Turns the heads' maps into the keypoints of the person in the centre; it has no weights.

    Pixels near the person's centre predict roughly where all keypoints are. In a keypoint's own
    map, pixels near that position count more, so that the limbs of neighbours are ignored.
    """

    def forward(self, heat: Tensor, centre: Tensor, reach: Tensor, offset: Tensor) -> Tensor:
        """Read keypoints from `KeypointMaps`.

        Returns:
            (b, 17, 3): x and y, where the crop spans [-1, 1], and the visibility, 0 to 1.
        """
        asked = heat.dtype
        side = int(heat.shape[-1])  # a constant in an exported graph
        wide = torch.promote_types(asked, torch.float32)  # half precision is too coarse
        heat, centre, reach, offset = (maps.to(wide) for maps in (heat, centre, reach, offset))
        steps = torch.arange(side, device=heat.device, dtype=wide)
        places = torch.stack(torch.meshgrid(steps, steps, indexing="ij")).flatten(1)  # (2, n)
        shape = (-1, MOBILE_KEYPOINTS, 2, side * side)
        reach, offset = (maps.reshape(shape) for maps in (reach, offset))
        heat = heat.reshape(-1, MOBILE_KEYPOINTS, side * side)
        centre = centre.reshape(-1, 1, side * side)
        away = torch.linalg.vector_norm(places - (side - 1) / 2, dim=0)  # (n,)
        middle = _weigh(-F.softplus(-centre) - (away + _NEAR).log())  # (b, 1, n)
        rough = ((places + reach) * middle[:, :, None]).sum(-1)  # (b, 17, 2)
        down, across = (places - rough[..., None]).unbind(2)
        # Much faster than a norm over such a short axis.
        away = (down.square() + across.square() + _ALMOST_NOTHING).sqrt()  # (b, 17, n)
        seen = -F.softplus(-heat)  # the log-likelihood
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
        side = int(feature_map.shape[-1])  # a constant in an exported graph
        steps = torch.arange(side, device=feature_map.device, dtype=torch.float32)
        centres = ((2 * steps + 1) / side - 1).to(feature_map.dtype)
        down, across = torch.meshgrid(centres, centres, indexing="ij")
        return torch.stack((across, down)) + torch.zeros_like(feature_map[:, :2])


def _weigh(scores: Tensor) -> Tensor:
    """(b, k, n) log-likelihoods -> weights over the pixels that sum to 1."""
    return (_SHARPNESS * scores).softmax(-1)
