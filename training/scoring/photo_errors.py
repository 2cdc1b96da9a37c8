"""Errors of a network on people in held-out photos."""

from dataclasses import dataclass

import torch
from torch import Tensor

from smpler_model.cameras.crops import CROP_MARGIN
from smpler_model.network.smpler import BackboneModel
from smpler_model.people.metrics import MM_FROM_M, centre_on_hips
from training.data.photo_files import LIMB_JOINTS, PHOTO_HIPS, PhotoFiles
from training.learning.objectives import normalise
from training.learning.photo_objective import photo_joints
from training.learning.surface import SampledSurface

_BATCH = 64
_BOX = 2 / CROP_MARGIN  # longer side of a person's box in a crop that spans [-1, 1]
_LIMBS = slice(len(LIMB_JOINTS))


@dataclass(frozen=True)
class PhotoErrors:
    """Errors of n people's 12 limb joints; NaN if a joint is not labelled.

    Attributes:
        shares: (n, 12) distance in the image, as a fraction of the longer side of the box.
        distances_mm: (n, 12) distance in space, with aligned hips' midpoints.
    """

    shares: Tensor
    distances_mm: Tensor

    def means(self) -> dict[str, float]:
        """Return the metrics under their usual names, over all labelled joints."""
        known = self.shares[self.shares.isfinite()]
        return {
            "PCK@0.1": float((known < 0.1).double().mean()),
            "PCK@0.05": float((known < 0.05).double().mean()),
            "MPJPE": float(self.distances_mm.double().nanmean()),
        }


@torch.no_grad()
def evaluate_on_photos(
    model: BackboneModel, photos: PhotoFiles, rows: Tensor, side: int, *, stage: int = -1
) -> PhotoErrors:
    """Compare a network's people with their labels.

    Args:
        model: model of any size.
        photos: photos to evaluate on, with the pipeline's crops.
        rows: rows to score.
        side: side of the network's crops, pixels.
        stage: which of the network's estimates; 0 is the initial one, -1 the last refinement.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    surface = SampledSurface(model.body).to(device)
    shares, distances = [], []
    for some in torch.split(rows, _BATCH):
        batch = photos.batch(some, side).to(device)
        found = model(normalise(batch.images, model), mesh=False).stages[stage]
        joints, keypoints = photo_joints(surface, found)
        apart = torch.linalg.vector_norm(keypoints - batch.keypoints[..., :2], dim=-1) / _BOX
        in_space = centre_on_hips(joints, PHOTO_HIPS) - batch.joints[..., :3]
        far = MM_FROM_M * torch.linalg.vector_norm(in_space, dim=-1)
        shares.append(torch.where(batch.keypoints[..., 2] > 0, apart, torch.nan)[:, _LIMBS])
        distances.append(torch.where(batch.joints[..., 3] > 0, far, torch.nan)[:, _LIMBS])
    model.train(was_training)
    return PhotoErrors(torch.cat(shares).cpu(), torch.cat(distances).cpu())
