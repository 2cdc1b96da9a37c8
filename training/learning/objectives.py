"""Objectives: a network and the losses of its estimates, as one module.

Distributed training wraps the module, so that everything with weights runs inside it.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from smpler_model.body.skeleton import H36M_EVALUATED, H36M_PELVIS, LABELLED_EVALUATED
from smpler_model.body.smpl import Mesh
from smpler_model.network.estimates import Stage
from smpler_model.network.geometry import (
    project_weak_perspective,
    rotation_from_axis_angle,
    turn_pelvis,
)
from smpler_model.network.smpler import BackboneModel, RefinementBlock, Smpler
from training.data.crop_files import Batch
from training.data.labelled_people import LabelledPeople
from training.data.mixed import Mixed
from training.data.photo_files import Photos
from training.learning.losses import (
    Counts,
    Labels,
    Losses,
    Posed,
    compare,
    count_labels,
    full_labels,
)
from training.learning.surface import SampledSurface
from training.settings import TrainSettings

BYTES = 255.0

Examples = TypeVar("Examples", Batch, LabelledPeople, Photos, Mixed)


@dataclass(frozen=True)
class Objective:
    """The loss to minimise, and its terms for the log.

    Attributes:
        loss: scalar.
        terms: scalars by name, detached.
    """

    loss: Tensor
    terms: dict[str, Tensor]


class ObjectiveModule(nn.Module, Generic[Examples]):
    """A network with the losses of its estimates."""

    def __init__(self, model: BackboneModel, settings: TrainSettings) -> None:
        super().__init__()
        config = model.config
        if settings.unaligned and not (config.limb_alignment or config.trunk_alignment):
            raise ValueError(
                "unaligned needs a model that aligns its estimate with keypoints, got "
                f"{config.name}; leave it out"
            )
        self.model = model
        self.settings = settings

    def count(self, batch: Examples) -> Counts:
        """Return the numbers of people with labels in a batch."""
        raise NotImplementedError

    def forward(self, batch: Examples, counts: Counts) -> Objective:
        """Compute the loss.

        Args:
            batch: examples on the module's device.
            counts: numbers of people in all processes, see `losses.Counts`.
        """
        with kept_corrections(self.model) as corrections:
            found = self.look(batch, counts)
        if not corrections or not self.settings.length_weight:
            return found
        length = self.settings.length_weight * compare_lengths(corrections)
        return Objective(found.loss + length, found.terms | {"length": length.detach()})

    def look(self, batch: Examples, counts: Counts) -> Objective:
        """Compute the loss except for the terms of the corrections alone."""
        return self.compare(self.estimate(batch.images), batch, counts)

    def compare(self, stages: Sequence[Stage], batch: Examples, counts: Counts) -> Objective:
        """Compute the loss of the results of `estimate` for a batch."""
        raise NotImplementedError

    def estimate(self, images: Tensor) -> list[Stage]:
        """Run the network on images with values 0 to 255.

        Args:
            images: (b, 3, s, s).

        Returns:
            The stages to train, in float32, those after the initial estimate for the refined
            people only: the first ones.
        """
        model = self.model
        normalised = normalise(images, model, channels_last=self.settings.channels_last)
        with self._fewer_bits("backbone", "network"):
            features: Sequence[Tensor] = model.backbone(normalised)
        if self.settings.autocast == "backbone":
            features = [feature.to(images.dtype) for feature in features]
        with self._fewer_bits("network"):
            if not isinstance(model, Smpler):
                return [model.guess(features)]
            *stages, last, aligned = refine_some(model, features, self.settings.refined_crops)
            return [*stages, last, aligned] if self.settings.unaligned else [*stages, aligned]

    def weigh(self, totals: list[Tensor]) -> Tensor:
        """Return the weighted mean of the stages' losses; the last has weight one."""
        weights = [self.settings.stage_weight] * (len(totals) - 1) + [1.0]
        weighed = [w * total for w, total in zip(weights, totals, strict=True)]
        return torch.stack(weighed).sum() / sum(weights)

    def _fewer_bits(self, *parts: str) -> AbstractContextManager[object]:
        if self.settings.autocast not in parts:
            return nullcontext()
        device = next(self.parameters()).device.type
        return torch.autocast(device, getattr(torch, self.settings.autocast_type))


class CropObjective(ObjectiveModule[Batch]):
    """Losses of every stage on synthetic crops, which have all labels."""

    def __init__(self, model: BackboneModel, settings: TrainSettings) -> None:
        super().__init__(model, settings)
        self.surface = SampledSurface(model.body, settings.vertex_step)

    def count(self, batch: Batch) -> Counts:
        """Return the number of crops, all of which have every label."""
        people = batch.images.new_tensor(len(batch))
        return Counts(people, people, people)

    def compare(self, stages: Sequence[Stage], batch: Batch, counts: Counts) -> Objective:
        """Compute the loss; see the base class."""
        rotations = turn_pelvis(batch.rotations, batch.turns.mT)  # as seen in the crop
        with torch.no_grad():
            frames = self.surface.frames(rotations, batch.betas)
            unposed = self.surface.unposed(batch.betas)
            target = self.surface.compared(rotations, batch.betas, None, batch.keypoints)
        each, totals = [], []
        for stage in stages:
            each.append(self._compare(stage, target, counts))
            shape = self._compare_shapes(stage, unposed)
            totals.append(each[-1].total + self._compare_frames(stage, frames) + shape)
        return Objective(self.weigh(totals), each[-1].terms())

    def _compare(self, stage: Stage, target: Posed, counts: Counts) -> Losses:
        """Return the losses of a stage, which may have only the first of the people."""
        people, total = len(stage.betas), len(target.rotations)
        posed = self.surface.compared(stage.rotations, stage.betas, stage.camera, None)
        wanted = Posed(*(values[:people] for values in vars(target).values()))
        labels = full_labels(people, target.keypoints.shape[1]).to(stage.betas)
        seen = Counts(*(count * (people / total) for count in vars(counts).values()))
        return compare(posed, wanted, labels, self.settings.weights, seen)

    def _compare_frames(self, stage: Stage, frames: Tensor) -> Tensor:
        """Return the weighted error of the joints' rotations in the camera's frame."""
        if not self.settings.frame_weight:
            return frames.new_zeros(())
        found = self.surface.frames(stage.rotations, stage.betas)
        apart = found[..., :3, :3] - frames[: len(found), ..., :3, :3]
        return self.settings.frame_weight * apart.abs().mean()

    def _compare_shapes(self, stage: Stage, unposed: Tensor) -> Tensor:
        """Return the weighted distance of the unposed joints."""
        if not self.settings.shape_weight:
            return unposed.new_zeros(())
        apart = self.surface.unposed(stage.betas) - unposed[: len(stage.betas)]
        distance: Tensor = torch.linalg.vector_norm(apart, dim=-1).mean()
        return self.settings.shape_weight * distance


class PeopleObjective(ObjectiveModule[LabelledPeople]):
    """SMPLer's losses of the last stage on labelled photos."""

    def count(self, batch: LabelledPeople) -> Counts:
        """Return the numbers of people with labels in a batch."""
        return count_labels(labels_of(batch))

    def compare(self, stages: Sequence[Stage], batch: LabelledPeople, counts: Counts) -> Objective:
        """Compute the loss of the last stage for the people that it has; see the base class."""
        final, body = stages[-1], self.model.body
        people, total = len(final.betas), len(batch)
        some = batch.split(people)[0] if people < total else batch
        with torch.autocast(final.rotations.device.type, enabled=False):
            mesh = body.mesh(final.rotations, final.betas)
            with torch.no_grad():
                rotations = rotation_from_axis_angle(some.pose.reshape(people, -1, 3))
                true_mesh = body.mesh(rotations, some.betas)
            losses = compare(
                posed_estimate(self.model, final, mesh),
                posed_labels(self.model, some, rotations, true_mesh),
                labels_of(some),
                self.settings.weights,
                Counts(*(count * (people / total) for count in vars(counts).values())),
            )
        return Objective(losses.total, losses.terms())


def refine_some(model: Smpler, features: Sequence[Tensor], people: int) -> list[Stage]:
    """Return the estimates of a batch.

    Args:
        model: network.
        features: four maps of its backbone.
        people: number of the first people who are refined; 0 for all.

    Returns:
        Everybody's initial estimate, the refined people's after each block, and the aligned one.
    """
    if not 0 < people < len(features[0]):
        stages, queries, observed = model.refine_by_blocks(features)
    else:
        stages, queries, observed = model.refine_by_blocks([m[:people] for m in features])
        stages[0] = model.guess(features)
    return [*stages, model.align(stages[-1], queries, observed)]


@contextmanager
def kept_corrections(model: BackboneModel) -> Iterator[list[Tensor]]:
    """Collect the (b, 24, 6) corrections of rotations from a model's blocks."""
    kept: list[Tensor] = []

    def keep(_layer: nn.Module, _inputs: tuple[Tensor, ...], six: Tensor) -> None:
        kept.append(six)

    layers = [m.rotation_delta for m in model.modules() if isinstance(m, RefinementBlock)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def compare_lengths(corrections: Sequence[Tensor]) -> Tensor:
    """Return the mean squared deviation from one of the column lengths of (..., 6) numbers."""
    six = torch.stack(list(corrections)).float()
    lengths = torch.linalg.vector_norm(six.reshape(*six.shape[:-1], 3, 2), dim=-2)
    apart: Tensor = (lengths - 1).square().mean()
    return apart


def posed_estimate(model: BackboneModel, stage: Stage, mesh: Mesh) -> Posed:
    """Return the compared quantities of an estimate and its mesh."""
    h36m = model.body.h36m_joints(mesh.vertices)
    joints = h36m[:, H36M_EVALUATED]
    keypoints = project_weak_perspective(joints, stage.camera)
    return Posed(stage.rotations, mesh.vertices, h36m[:, H36M_PELVIS], joints, keypoints)


def posed_labels(
    model: BackboneModel, batch: LabelledPeople, rotations: Tensor, mesh: Mesh
) -> Posed:
    """Return the compared quantities of labels, with the mesh of the neutral body."""
    pelvis = model.body.h36m_joints(mesh.vertices)[:, H36M_PELVIS]
    rows = list(LABELLED_EVALUATED)
    return Posed(
        rotations, mesh.vertices, pelvis, batch.joints[:, rows, :3], batch.keypoints[:, rows, :2]
    )


def labels_of(batch: LabelledPeople) -> Labels:
    """Return which labels people have; joints are the 14 evaluated ones."""
    rows = list(LABELLED_EVALUATED)
    return Labels(
        batch.has_smpl, batch.has_joints, batch.joints[:, rows, 3], batch.keypoints[:, rows, 2]
    )


def normalise(images: Tensor, model: BackboneModel, *, channels_last: bool = True) -> Tensor:
    """Normalise (b, 3, s, s) RGB from 0 to 255 for the network."""
    whole = images.float()  # in the same order and precision as everywhere else
    mean, std = (
        whole.new_tensor(values)[:, None, None] for values in (model.config.mean, model.config.std)
    )
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return ((whole / BYTES - mean) / std).to(images.dtype).contiguous(memory_format=layout)
