"""The objective for photos: robust distances of joints, as photos' labels may be wrong."""

from collections.abc import Sequence

import torch
from torch import Tensor

from smpler_model.network.estimates import Stage
from smpler_model.network.geometry import project_weak_perspective
from smpler_model.network.smpler import BackboneModel
from smpler_model.people.metrics import centre_on_hips
from training.data.data_settings import PhotoData
from training.data.photo_files import BODY_ROWS, PHOTO_HIPS, Photos
from training.learning.losses import Counts
from training.learning.objectives import Objective, ObjectiveModule
from training.learning.surface import SampledSurface
from training.settings import TrainSettings


class PhotoObjective(ObjectiveModule[Photos]):
    """Losses of every stage on photos: joints in the image, and in space where labelled."""

    def __init__(self, model: BackboneModel, settings: TrainSettings, data: PhotoData) -> None:
        super().__init__(model, settings)
        self.data = data
        self.surface = SampledSurface(model.body, len(model.body.v_template))

    def count(self, batch: Photos) -> Counts:
        """Return the numbers of people with labels in a batch."""
        nobody = batch.images.new_zeros(())
        return Counts(nobody + len(batch), nobody, batch.has_joints.sum())

    def compare(self, stages: Sequence[Stage], batch: Photos, counts: Counts) -> Objective:
        """Compute the loss; see the base class. Stages may have only the first of the people."""
        terms = [self._compare(stage, batch, counts) for stage in stages]
        total = self.weigh([torch.stack(list(each.values())).sum() for each in terms])
        return Objective(total, {name: term.detach() for name, term in terms[-1].items()})

    def _compare(self, stage: Stage, batch: Photos, counts: Counts) -> dict[str, Tensor]:
        people, weights = len(stage.betas), self.settings.weights
        share = people / len(batch)
        keypoints, joints = batch.keypoints[:people], batch.joints[:people]
        found, found_px = photo_joints(self.surface, stage)
        apart_px = torch.linalg.vector_norm(found_px - keypoints[..., :2], dim=-1)
        apart = torch.linalg.vector_norm(
            centre_on_hips(found, PHOTO_HIPS) - joints[..., :3], dim=-1
        )
        # As in `losses.compare`, squares are means over a vector's entries, distances are not.
        in_image = square_robustly(apart_px, self.data.keypoint_scale) / 2
        in_space = square_robustly(apart, self.data.joint_scale_m) / 3

        everybody, known = share * counts.people, share * counts.with_joints
        return {
            "keypoints": weights.keypoints * _mean(in_image, keypoints[..., 2], everybody),
            "joints": weights.joints * _mean(in_space, joints[..., 3], known),
            "distances": weights.distances * _mean(apart, joints[..., 3], known),
            "keypoint_distances": weights.keypoint_distances
            * _mean(apart_px, keypoints[..., 2], everybody),
        }


def _mean(values: Tensor, confidence: Tensor, people: Tensor) -> Tensor:
    """Return the sum over people of (b, 19) values' means, divided by a number of people."""
    nobody = people == 0
    return (values * confidence).mean(1).sum() / torch.where(nobody, 1.0, people)


def square_robustly(distances: Tensor, scale: float) -> Tensor:
    """Return squared distances up to a scale, and beyond it their tangent: Huber's loss."""
    return torch.where(distances < scale, distances.square(), scale * (2 * distances - scale))


def photo_joints(surface: SampledSurface, stage: Stage) -> tuple[Tensor, Tensor]:
    """Return the joints of `PHOTO_JOINTS` (b, 19, 3), metres, and in the crop (b, 19, 2)."""
    _, regressed, chain = surface(stage.rotations, stage.betas)
    joints = torch.cat((chain, regressed), 1)[:, list(BODY_ROWS)]
    return joints, project_weak_perspective(joints, stage.camera)
