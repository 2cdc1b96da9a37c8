"""Crops of people whose upper part alone is visible, as from a detector's boxes.

Close to the camera, and behind tables, a box ends where the person can no longer be seen. The crop
around it shows the person enlarged, and the network must estimate where the rest of the body is.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.crops import CROP_MARGIN
from training.data.crop_files import Batch

_LEAST, _MOST = 0.25, 0.85
"""Range of the visible share of a person's height in the crop."""

_BLACK_SHARE = 0.6
"""How often the image ends there; else something of a plain colour hides the rest."""

_AROUND = 0.08
"""How far the body extends beyond its joints, over their extent in the crop."""

_SMALLEST = 0.1
"""Least extent of the joints, half crop sides; crops with less stay as they are, and those of
people whose head is below what would be visible."""

_HEAD = SMPL_JOINTS.index("head")


def show_parts(batch: Batch, generator: Generator, share: float) -> Batch:
    """Enlarge the upper part of some people, and hide the rest.

    Args:
        batch: the crops, which are not modified.
        generator: generator on the CPU.
        share: probability for each crop.
    """
    b = len(batch)
    chance, visible, fate = torch.rand(3, b, generator=generator)
    plain = 255 * torch.rand(b, 3, 1, 1, generator=generator)
    joints = batch.keypoints[:, : len(SMPL_JOINTS)]
    first, last = joints.amin(1).clamp(min=-1), joints.amax(1).clamp(max=1)
    extent = last - first  # (b, 2)
    around = _AROUND * extent.amax(1)
    top = first[:, 1] - around
    bottom = top + (extent[:, 1] + 2 * around) * (_LEAST + (_MOST - _LEAST) * visible)
    fits = (extent.amin(1) > _SMALLEST) & (joints[:, _HEAD, 1] < bottom - around)
    rows = ((chance < share) & fits).nonzero()[:, 0]
    if not len(rows):
        return batch
    top, bottom, around, joints = (each[rows] for each in (top, bottom, around, joints))
    centres, halves = _square(joints, top, bottom, around)
    images = _zoom(batch.images[rows], centres, halves)
    ends = (bottom - centres[:, 1]) / halves
    fill = torch.where((fate[rows] < _BLACK_SHARE)[:, None, None, None], 0.0, plain[rows])
    side = images.shape[-1]
    places = (2 * torch.arange(side) + 1) / side - 1
    hidden = (places > ends[:, None])[:, None, :, None]
    keypoints = (batch.keypoints[rows] - centres[:, None]) / halves[:, None, None]
    old_centres, sides = batch.windows[rows, :2], batch.windows[rows, 2:]
    windows = torch.cat((old_centres + centres * sides / 2, sides * halves[:, None]), 1)
    return replace(
        batch,
        images=batch.images.index_put((rows,), torch.where(hidden, fill, images)),
        keypoints=batch.keypoints.index_put((rows,), keypoints),
        windows=batch.windows.index_put((rows,), windows),
    )


def _square(joints: Tensor, top: Tensor, bottom: Tensor, around: Tensor) -> tuple[Tensor, Tensor]:
    """Return centres (n, 2) and half sides (n,) of the squares around what is visible.

    Args:
        joints: (n, 24, 2) in the crop.
        top: (n,) upper end of the box.
        bottom: (n,) lower end of the box.
        around: (n,) how far the body extends beyond its joints.
    """
    seen = (joints[..., 1] <= bottom[:, None])[..., None]
    across = joints[..., :1].clamp(-1, 1)
    left = torch.where(seen, across, torch.inf).amin((1, 2)) - around
    right = torch.where(seen, across, -torch.inf).amax((1, 2)) + around
    longer = torch.maximum(right - left, bottom - top)
    centres = torch.stack((left + right, top + bottom), 1) / 2
    return centres, CROP_MARGIN * longer / 2


def _zoom(images: Tensor, centres: Tensor, halves: Tensor) -> Tensor:
    """Cut squares out of (n, 3, s, s) images; black outside."""
    turn = torch.eye(2) * halves[:, None, None]
    grid = F.affine_grid(
        torch.cat((turn, centres[..., None]), 2), list(images.shape), align_corners=False
    )
    return F.grid_sample(images, grid, align_corners=False)
