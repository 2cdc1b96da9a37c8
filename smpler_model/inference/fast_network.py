"""The network for inference: the function of `smpler.Smpler` in fewer and larger products.

Batch norm is folded into the convolutions, normalising the crops is part of the graph, and the
Transformer's blocks are those of `fused_blocks`. Only joints are posed; the mesh is computed on
request. No operation depends on the number of people, so that one graph serves every batch size.
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.body.skeleton import SMPL_SHAPE_COUNT
from smpler_model.body.smpl import Body
from smpler_model.inference.folding import fold_backbone
from smpler_model.inference.fused_blocks import FusedBlock, FusedProjection, linear_from
from smpler_model.network.backbone import name_stem
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import project_weak_perspective, rotation_from_6d
from smpler_model.network.keypoint_feedback import compare_observed, read_observed
from smpler_model.network.limbs import take_limbs
from smpler_model.network.smpler import (
    JOINT_COUNT,
    RefinementBlock,
    Regressor,
    Smpler,
)


class Outputs(NamedTuple):
    """Outputs of the network for b people; see `estimates.Stage` for shapes and units.

    `changes` (b, 24) are how far the last block moved each joint against the pelvis, metres.
    """

    rotations: Tensor
    betas: Tensor
    camera: Tensor
    joints: Tensor
    keypoints: Tensor
    changes: Tensor


def outputs_from(aligned: Stage, last: Stage, previous: Stage) -> Outputs:
    """Return the outputs.

    Args:
        aligned: the final estimate.
        last: that of the last block, before limbs were aligned.
        previous: the one before.
    """
    moved = last.joints - previous.joints
    return Outputs(
        *(aligned.rotations, aligned.betas, aligned.camera, aligned.joints, aligned.keypoints),
        changes=(moved - moved[:, :1]).norm(dim=-1),
    )


OUTPUT_SHAPES: dict[str, tuple[int, ...]] = {
    "rotations": (JOINT_COUNT, 3, 3),
    "betas": (SMPL_SHAPE_COUNT,),
    "camera": (3,),
    "joints": (JOINT_COUNT, 3),
    "keypoints": (JOINT_COUNT, 2),
    "changes": (JOINT_COUNT,),
}
"""Outputs of the network for each person, in the order of `Outputs`."""


def check_attention(model: Smpler) -> None:
    """Refuse a model that the fast network cannot replace.

    Raises:
        ValueError: its attention is not decoupled.
    """
    if model.config.attention != "decoupled":
        raise ValueError(
            f"the fast network needs decoupled attention, got '{model.config.attention}'; "
            "use backend 'plain'"
        )


class FastSmpler(nn.Module):
    """A SMPLer with its constant products precomputed, for evaluation only."""

    mean: Tensor
    scale: Tensor

    def __init__(self, model: Smpler) -> None:
        """Precompute the products of a model's weights; the model itself is unchanged.

        Args:
            model: model with decoupled attention.

        Raises:
            ValueError: a model with another kind of attention.
        """
        super().__init__()
        check_attention(model)
        dtype = model.embedding.rotation.weight.dtype
        exact = copy.deepcopy(model).cpu().double().eval()  # so that products are rounded once
        self.config = model.config
        self.stem = name_stem(model.config)
        self.backbone: nn.Module = fold_backbone(exact.backbone)
        self.regressor = FastRegressor(exact.regressor)
        self.embedding = exact.embedding
        blocks: list[RefinementBlock] = list(exact.blocks)  # type: ignore[arg-type]
        self.projections = nn.ModuleList(
            FusedProjection(blocks, scale) for scale in range(len(model.config.channels))
        )
        self.blocks = nn.ModuleList(FusedBlock(block) for block in blocks)
        self.trunk_alignment = exact.trunk_alignment
        self.limb_alignment = exact.limb_alignment
        self.body = exact.body
        mean, std = (
            torch.tensor(v, dtype=torch.float64) for v in (model.config.mean, model.config.std)
        )
        self.register_buffer("mean", 255 * mean.view(3, 1, 1))
        self.register_buffer("scale", 1 / (255 * std.view(3, 1, 1)))
        self.requires_grad_(False).eval().to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for values in self.buffers():  # tables, from which cuDNN samples row by row
            values.data = values.contiguous()

    def halve(self, dtype: torch.dtype) -> "FastSmpler":
        """Store and compute feature maps and image tokens in half precision.

        Queries, rotations, body and camera keep full precision: they are few, and half precision
        is too coarse for a rotation. So do the layers of `name_stem`, a few percent of the
        operations, or a backbone that must be exact, whose maps alone are rounded.

        Args:
            dtype: float16 or bfloat16.
        """
        self.projections.to(dtype)
        if self.stem is None:
            self.backbone = RoundedMaps(self.backbone, dtype)
            return self
        stem = {name: copy.deepcopy(self.backbone.get_submodule(name)) for name in self.stem}
        self.backbone.to(dtype)
        last = self.stem[-1]
        for name, layer in stem.items():
            whole = RoundedAfter(layer, dtype) if name == last else layer
            self.backbone.set_submodule(name, whole)
        return self

    def forward(self, crops: Tensor) -> Outputs:
        """Estimate one person in each crop.

        Args:
            crops: (b, s, s, 3) uint8 RGB.

        Returns:
            rotations (b, 24, 3, 3), betas (b, 10), camera (b, 3), joints (b, 24, 3) in metres,
            keypoints (b, 24, 2), and changes (b, 24); see `Outputs` and `estimates.Stage`.
        """
        return self.refine(self.features(crops))

    def features(self, crops: Tensor) -> list[Tensor]:
        """Return the backbone's four maps (b, n, h, w) of (b, s, s, 3) crops, finest first."""
        images = (crops.to(self.mean.dtype).permute(0, 3, 1, 2) - self.mean) * self.scale
        maps: list[Tensor] = self.backbone(images)
        return maps

    def refine(self, features: Sequence[Tensor]) -> Outputs:
        """Compute the outputs of `forward` from the four maps."""
        pooled = features[-1].to(self.mean.dtype).mean((2, 3))
        observed = read_observed(pooled) if self.config.uses_keypoints else None
        previous = stage = self._observe(self.regressor(pooled, observed, self.body))
        queries = self.embedding(stage, pooled)
        projected = [project(m) for project, m in zip(self.projections, features, strict=True)]
        finest = projected[0].normalised
        tokens = [of_map.tokens.unbind(2) for of_map in projected]  # (b, h * w, c) for each block
        for index, block in enumerate(self.blocks):
            maps = [of_map[index] for of_map in tokens]
            queries, estimate = block(
                queries, stage, observed, self.body, finest[:, :, index], maps
            )
            previous, stage = stage, self._observe(estimate)
        aligned = stage
        for alignment in (self.trunk_alignment, self.limb_alignment):
            if alignment is not None and observed is not None:
                aligned = self._observe(alignment(aligned, queries, observed, self.body))
        return outputs_from(aligned, stage, previous)

    def _observe(self, estimate: Estimate) -> Stage:
        joints = self.body.joints(estimate.rotations, estimate.betas)
        keypoints = project_weak_perspective(joints, estimate.camera)
        return Stage(estimate.rotations, estimate.betas, estimate.camera, joints, keypoints)


class CropsToMaps(nn.Module):
    """The first part of a fast network as a module of its own."""

    def __init__(self, network: FastSmpler) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """See `FastSmpler.features`."""
        return tuple(self.network.features(crops))


class MapsToOutputs(nn.Module):
    """The second part of a fast network as a module of its own."""

    def __init__(self, network: FastSmpler) -> None:
        super().__init__()
        self.network = network

    def forward(self, *maps: Tensor) -> Outputs:
        """See `FastSmpler.refine`."""
        return self.network.refine(maps)


class RoundedAfter(nn.Module):
    """A layer that computes in its own precision and rounds its result."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.dtype = layer, dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's result in the other type."""
        rounded: Tensor = self.layer(x).to(self.dtype)
        return rounded


class RoundedMaps(nn.Module):
    """A backbone that computes in its own precision and rounds its maps.

    The coarsest one keeps it: it is small, and holds the keypoints.
    """

    def __init__(self, backbone: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.backbone, self.dtype = backbone, dtype

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the backbone's maps, all but the last in the other type."""
        *finer, coarsest = self.backbone(images)
        return [*(feature_map.to(self.dtype) for feature_map in finer), coarsest]


class FastRegressor(nn.Module):
    """The initial estimate, with pose, shape and camera as one vector.

    The image's contribution to the first hidden layer is the same in every iteration and is
    computed once.
    """

    initial: Tensor

    def __init__(self, regressor: Regressor) -> None:
        super().__init__()
        first: Any = regressor.hidden[0]
        second: Any = regressor.hidden[3]
        heads = (regressor.pose_delta, regressor.shape_delta, regressor.camera_delta)
        starts = (regressor.initial_pose, regressor.initial_shape, regressor.initial_camera)
        self.sizes = [start.shape[1] for start in starts]
        image, parameters = first.weight.split(
            [first.in_features - sum(self.sizes), sum(self.sizes)], 1
        )
        self.iterations = regressor.iterations
        self.image = linear_from(image, first.bias)
        self.parameters_in = nn.Parameter(parameters.detach().clone())
        self.hidden = second
        self.feedback = regressor.feedback
        self.delta = linear_from(
            torch.cat([head.weight for head in heads]), torch.cat([head.bias for head in heads])
        )
        self.register_buffer("initial", torch.cat(starts, 1))

    def forward(self, pooled: Tensor, observed: Tensor | None, body: Body) -> Estimate:
        """Return the initial estimate.

        Args:
            pooled: (b, n) mean of the coarsest map.
            observed: (b, 12, 3) the backbone's keypoints, where the model gets feedback.
            body: the body that is posed for the feedback.
        """
        from_image = self.image(pooled)
        values = self.initial  # (1, m), the same for all people
        for _ in range(self.iterations):
            hidden = from_image + F.linear(values, self.parameters_in)
            if self.feedback is not None and observed is not None:
                hidden = hidden + self.feedback(self._compare(values, observed, body))
            hidden = F.relu(hidden)
            values = values + self.delta(F.relu(self.hidden(hidden)))
        return self._estimate(values)

    def _compare(self, values: Tensor, observed: Tensor, body: Body) -> Tensor:
        estimate = self._estimate(values)
        joints = body.joints(estimate.rotations, estimate.betas)
        keypoints = project_weak_perspective(joints, estimate.camera)
        return compare_observed(observed, take_limbs(keypoints)).flatten(1)

    def _estimate(self, values: Tensor) -> Estimate:
        pose, shape, camera = torch.split(values, self.sizes, 1)
        return Estimate(rotation_from_6d(pose.reshape(-1, JOINT_COUNT, 6)), shape, camera)
