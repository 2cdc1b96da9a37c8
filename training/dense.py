"""Maps that the features must show while training; nothing of this is shipped.

A backbone without weights from photos learns where limbs are much sooner from 1024 answers a crop
than from one pose. Source of the idea: Güler, Neverova, Kokkinos, "DensePose", CVPR 2018; maps of
joints as in Tompson et al., NIPS 2014.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.skeleton import SMPL_JOINTS
from smpler_model.synthetic.crops import BACKGROUND
from training.crop_files import Batch

_JOINTS, _PARTS = len(SMPL_JOINTS), BACKGROUND + 1
_WIDTH = 64
_SPREAD = 0.07  # standard deviation of a joint's spot times sqrt 2, the crop spans 2
_SPOT_WEIGHT, _PART_WEIGHT, _PLACE_WEIGHT = 200.0, 2.0, 10.0


class DenseHead(nn.Module):
    """Reads maps of 24 joints, 25 parts and 3 coordinates off the features of all scales.

    All scales, so that the coarsest, which the first guess reads, learns too; with a hidden layer,
    because 16 channels cannot hold 52 answers side by side.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.Conv2d(sum(channels), _WIDTH, kernel_size=1),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, _JOINTS + _PARTS + 3, kernel_size=1),
        )

    def forward(self, features: Sequence[Tensor], batch: Batch) -> Tensor:
        """Return the loss of four maps (b, channels, h, w), finest first, against a batch's."""
        finest = features[0]
        size = finest.shape[-2:]
        coarser = [F.interpolate(m, size=size, mode="bilinear") for m in features[1:]]
        answers = self.read(torch.cat((finest, *coarser), 1))
        spots, parts, places = answers.split((_JOINTS, _PARTS, 3), 1)
        seen = (batch.parts != BACKGROUND)[:, None].float()
        apart = ((places - batch.coordinates).abs() * seen).sum() / seen.sum().clamp(min=1) / 3
        wanted = draw_spots(batch.keypoints[:, :_JOINTS], finest.shape[-1])
        where: Tensor = _SPOT_WEIGHT * F.mse_loss(spots, wanted)
        which: Tensor = _PART_WEIGHT * F.cross_entropy(parts, batch.parts)
        loss: Tensor = torch.stack((where, which, _PLACE_WEIGHT * apart)).sum()
        return loss


def draw_spots(keypoints: Tensor, side: int) -> Tensor:
    """Return maps (b, k, side, side), 1 at keypoints (b, k, 2) and 0 far away."""
    centres = torch.linspace(-1 + 1 / side, 1 - 1 / side, side, device=keypoints.device)
    across, down = torch.exp(-(((centres - keypoints[..., None]) / _SPREAD) ** 2)).unbind(2)
    return down[..., :, None] * across[..., None, :]
