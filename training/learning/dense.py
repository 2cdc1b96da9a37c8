"""Dense prediction tasks that guide the features in training; nothing of them is shipped.

A backbone without pretrained weights learns where limbs are much faster from 1024 dense targets
per crop than from one pose. Source of the idea: Güler, Neverova, Kokkinos, "DensePose", CVPR 2018;
joint heat maps as in Tompson et al., NIPS 2014.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.body.skeleton import SMPL_JOINTS
from synthetic.crops import BACKGROUND, PART_STRIDE
from training.data.crop_files import Batch

_JOINTS, _PARTS = len(SMPL_JOINTS), BACKGROUND + 1
_WIDTH = 64
_SPREAD = 0.1  # standard deviation of a joint's heat map times sqrt 2; the crop spans 2
_SPOT_WEIGHT, _PART_WEIGHT, _PLACE_WEIGHT = 200.0, 2.0, 10.0
_TURN_WEIGHT, _WHOLE_WEIGHT = 5.0, 10.0
_FRAME = 6 + 3  # two columns of a rotation, a position
_SMOOTH = 0.2  # errors below this are squared


class DenseHead(nn.Module):
    """Predicts maps of 24 joints, 25 parts, 3 coordinates and the parts' frames from the features.

    It reads the features of all scales, so that the coarsest, which the regressor reads, learns as
    well; with a hidden layer, because 16 channels cannot represent 61 outputs side by side. A
    limb's rotation is predicted where the limb is visible, but which way a person faces shows in
    few
    pixels: all frames must also follow from the mean of the coarsest map by a linear layer, whose
    loss has no local minima.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.gather = nn.ModuleList(nn.Conv2d(n, _WIDTH, 1, bias=False) for n in channels)
        self.read = nn.Sequential(
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, _JOINTS + _PARTS + 3 + _FRAME, kernel_size=1),
        )
        self.whole = nn.Linear(channels[-1], _JOINTS * _FRAME)

    def forward(self, features: Sequence[Tensor], batch: Batch, frames: Tensor) -> Tensor:
        """Return the loss of features against the contents of a batch.

        Args:
            features: four maps (b, channels, h, w), finest first.
            batch: b crops with maps of the size of the finest.
            frames: (b, 24, 4, 4) frames of their joints, from `SampledSurface.frames`.
        """
        finest = features[0]
        size = finest.shape[-2:]
        # Mixing channels before upsampling gives the same as after, at a lower cost.
        gathered = [gather(m) for gather, m in zip(self.gather, features, strict=True)]
        coarser = [F.interpolate(m, size=size, mode="bilinear") for m in gathered[1:]]
        answers = self.read(torch.stack((gathered[0], *coarser)).sum(0))
        spots, parts, places, turns = answers.split((_JOINTS, _PARTS, 3, _FRAME), 1)
        seen = (batch.parts != BACKGROUND)[:, None].float()
        numbers = number_frames(frames)
        wanted = draw_spots(batch.keypoints[:, :_JOINTS], finest.shape[-1])
        whole = self.whole(features[-1].mean((2, 3))).reshape(numbers.shape)
        terms = (
            _SPOT_WEIGHT * F.mse_loss(spots, wanted),
            _PART_WEIGHT * F.cross_entropy(parts, batch.parts),
            _PLACE_WEIGHT * _mean_where(seen, places - batch.coordinates),
            _TURN_WEIGHT * _mean_where(seen, turns - lay_out(numbers, batch.parts)),
            _WHOLE_WEIGHT * F.smooth_l1_loss(whole, numbers, beta=_SMOOTH),
        )
        return torch.stack(terms).sum()


def number_frames(frames: Tensor) -> Tensor:
    """Return (b, 24, 9): two columns of each frame's rotation, twice its position from the pelvis.

    Args:
        frames: (b, 24, 4, 4).
    """
    places = frames[..., :3, 3] - frames[:, :1, :3, 3]
    return torch.cat((frames[..., :3, :2].flatten(2), 2 * places), 2)


def lay_out(numbers: Tensor, parts: Tensor) -> Tensor:
    """Return each pixel's numbers (b, n, h, w), those of the part visible there; 0 elsewhere.

    Args:
        numbers: (b, 24, n).
        parts: (b, h, w) int64, 24 for none.
    """
    b, _, n = numbers.shape
    padded = torch.cat((numbers, numbers.new_zeros(b, 1, n)), 1)
    rows = torch.arange(b, device=parts.device)[:, None, None]
    return padded[rows, parts].permute(0, 3, 1, 2)


def shrink(batch: Batch, side: int) -> Batch:
    """Return a batch resized to another side, pixels, a multiple of 4, with maps to match."""
    cells = side // PART_STRIDE
    there = batch.parts.shape[-1]
    at = ((torch.arange(cells, device=batch.parts.device) + 0.5) * there / cells).long()
    images = F.interpolate(batch.images, size=(side, side), mode="bilinear", antialias=True)
    return replace(
        batch,
        images=images,
        parts=batch.parts[:, at[:, None], at],
        coordinates=batch.coordinates[..., at[:, None], at],
    )


def _mean_where(seen: Tensor, differences: Tensor) -> Tensor:
    """Return the mean of (b, n, h, w) absolute values over the marked pixels (b, 1, h, w)."""
    total = (differences.abs() * seen).sum()
    return total / seen.sum().clamp(min=1) / differences.shape[1]


def draw_spots(keypoints: Tensor, side: int) -> Tensor:
    """Return heat maps (b, k, side, side), 1 at keypoints (b, k, 2) and 0 far away."""
    centres = torch.linspace(-1 + 1 / side, 1 - 1 / side, side, device=keypoints.device)
    across, down = torch.exp(-(((centres - keypoints[..., None]) / _SPREAD) ** 2)).unbind(2)
    return down[..., :, None] * across[..., None, :]
