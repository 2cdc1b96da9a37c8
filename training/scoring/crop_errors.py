"""Held-out errors of networks, and of baselines that do not look at the image."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from smpler_model.body.skeleton import H36M_EVALUATED, H36M_PELVIS
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Estimate
from smpler_model.network.geometry import rotation_from_6d, turn_pelvis
from smpler_model.network.mean_parameters import upright_parameters
from smpler_model.network.smpler import BackboneModel, Smpler
from smpler_model.people.metrics import Errors, aligned_joint_error, joint_error, vertex_error
from training.data.crop_files import Batch, CropFiles
from training.learning.objectives import normalise
from training.scoring.stages import estimate_stages, name_stages

Answer = Callable[[Batch], Estimate]
_BATCH = 64


@torch.no_grad()
def evaluate(answer: Answer, body: Body, crops: CropFiles, chosen: Tensor | None = None) -> Errors:
    """Compare estimates with the people in crops, on all vertices.

    Args:
        answer: returns estimates for a batch.
        body: body model of all people.
        crops: crops to evaluate on.
        chosen: rows of the crops; all if None.
    """
    each = []
    chosen = torch.arange(len(crops)) if chosen is None else chosen
    for rows in torch.split(chosen, _BATCH):
        batch = crops.batch(rows)
        each.append(_compare(*_surface(body, answer(batch)), *_true_surface(body, batch)))
    return _join(each)


def evaluate_model(model: BackboneModel, crops: CropFiles, chosen: Tensor | None = None) -> Errors:
    """Evaluate a network, on its device, on all or some crops, in the camera's frame.

    Args:
        model: model of any size.
        crops: crops to evaluate on.
        chosen: rows of the crops; all if None.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device

    def answer(batch: Batch) -> Estimate:
        found = model(normalise(batch.images.to(device), model), mesh=False).final
        return _turned(found, batch)

    errors = evaluate(answer, model.body, crops, chosen)
    model.train(was_training)
    return errors


@torch.no_grad()
def evaluate_stages(model: Smpler, crops: CropFiles) -> dict[str, Errors]:
    """Evaluate each of a network's estimates, on its device, in the camera's frame.

    Returns:
        Errors by the names of `stages.name_stages`, the final estimate last.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    each: dict[str, list[Errors]] = {name: [] for name in name_stages(model)}
    for rows in torch.split(torch.arange(len(crops)), _BATCH):
        batch = crops.batch(rows)
        true = _true_surface(model.body, batch)
        images = normalise(batch.images.to(device), model)
        for name, stage in estimate_stages(model, images).items():
            found = _surface(model.body, _turned(stage, batch))
            each[name].append(_compare(*found, *true))
    model.train(was_training)
    return {name: _join(parts) for name, parts in each.items()}


def constant_answer(rotations: Tensor, betas: Tensor) -> Answer:
    """Return a baseline with constant rotations (24, 3, 3) and betas (10,)."""

    def answer(batch: Batch) -> Estimate:
        b = len(batch)
        camera = torch.tensor([1.0, 0.0, 0.0]).expand(b, 3)
        return Estimate(rotations.expand(b, -1, -1, -1), betas.expand(b, -1), camera)

    return answer


def rest_answer() -> Answer:
    """Return the baseline of the upright rest pose."""
    mean = upright_parameters()
    return constant_answer(
        rotation_from_6d(torch.tensor(mean.pose_6d).reshape(24, 6)), torch.tensor(mean.betas)
    )


def mean_answer(crops: CropFiles) -> Answer:
    """Return the baseline of the mean rotations and betas of crops.

    The mean rotation is the rotation nearest to the arithmetic mean.
    """
    batch = crops.batch(torch.arange(len(crops)))
    u, _, vh = torch.linalg.svd(batch.rotations.mean(0))
    sign = torch.linalg.det(u @ vh)
    last = torch.stack((torch.ones_like(sign), torch.ones_like(sign), sign), -1)
    return constant_answer((u * last[:, None]) @ vh, batch.betas.mean(0))


def _turned(estimate: Estimate, batch: Batch) -> Estimate:
    """Return an estimate of crops in the camera's frame."""
    turns = batch.turns.to(estimate.rotations.device)
    return Estimate(turn_pelvis(estimate.rotations, turns), estimate.betas, estimate.camera)


def _surface(body: Body, estimate: Estimate) -> tuple[Tensor, Tensor]:
    return _surface_of(body, estimate.rotations, estimate.betas)


def _true_surface(body: Body, batch: Batch) -> tuple[Tensor, Tensor]:
    device = body.v_template.device
    return _surface_of(body, batch.rotations.to(device), batch.betas.to(device))


def _surface_of(body: Body, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    vertices = body.mesh(rotations, betas).vertices
    return vertices, body.h36m_joints(vertices)


def _join(each: Sequence[Errors]) -> Errors:
    columns = zip(*((e.mpjpe, e.pa_mpjpe, e.mpve) for e in each), strict=True)
    return Errors(*(torch.cat(column).cpu() for column in columns))


def _compare(vertices: Tensor, h36m: Tensor, true_vertices: Tensor, true_h36m: Tensor) -> Errors:
    joints, true_joints = h36m[:, H36M_EVALUATED], true_h36m[:, H36M_EVALUATED]
    return Errors(
        joint_error(joints, true_joints),
        aligned_joint_error(joints, true_joints),
        vertex_error(vertices, true_vertices, h36m[:, H36M_PELVIS], true_h36m[:, H36M_PELVIS]),
    )
