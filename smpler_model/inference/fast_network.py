"""The network for inference: the same function as `network.Smpler` in fewer and larger products.

Batch norm is folded into the convolutions, normalisation of the crops is part of the graph, all
blocks' projections of a map are one product, and attention is that of `fused_attention`. Only
joints are posed; the mesh is left to those who want it. No operation depends on the number of
people, so that one graph serves every batch.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.body.skeleton import SMPL_SHAPE_COUNT
from smpler_model.inference.folding import fold_backbone
from smpler_model.inference.fused_attention import linear_from
from smpler_model.inference.fused_block import FusedBlock, FusedProjection
from smpler_model.network.backbone import name_stem
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import project_weak_perspective, rotation_from_6d
from smpler_model.network.smpler import JOINT_COUNT, RefinementBlock, Regressor, Smpler

Outputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]

OUTPUT_SHAPES: dict[str, tuple[int, ...]] = {
    "rotations": (JOINT_COUNT, 3, 3),
    "betas": (SMPL_SHAPE_COUNT,),
    "camera": (3,),
    "joints": (JOINT_COUNT, 3),
    "keypoints": (JOINT_COUNT, 2),
}
"""What the network returns of each person, in this order; see `types.Stage`."""


class FastSmpler(nn.Module):
    """A SMPLer with its weights multiplied out, for evaluation only."""

    mean: Tensor
    scale: Tensor

    def __init__(self, model: Smpler) -> None:
        """Multiply out the weights of a model, which is left as it is.

        Args:
            model: with decoupled attention.

        Raises:
            ValueError: its attention is of another kind.
        """
        super().__init__()
        if model.config.attention != "decoupled":
            raise ValueError(
                f"the fast network needs decoupled attention, got '{model.config.attention}'; "
                "use backend 'plain'"
            )
        dtype = model.embedding.rotation.weight.dtype
        exact = copy.deepcopy(model).cpu().double().eval()  # products are rounded once, at the end
        self.config = model.config
        self.stem = name_stem(model.config)
        self.backbone = fold_backbone(exact.backbone)
        self.regressor = FastRegressor(exact.regressor)
        self.embedding = exact.embedding
        blocks: list[RefinementBlock] = list(exact.blocks)  # type: ignore[arg-type]
        self.projections = nn.ModuleList(
            FusedProjection(blocks, scale) for scale in range(len(model.config.channels))
        )
        self.blocks = nn.ModuleList(FusedBlock(block) for block in blocks)
        self.body = exact.body
        mean, std = (
            torch.tensor(v, dtype=torch.float64) for v in (model.config.mean, model.config.std)
        )
        self.register_buffer("mean", 255 * mean.view(3, 1, 1))
        self.register_buffer("scale", 1 / (255 * std.view(3, 1, 1)))
        self.requires_grad_(False).eval().to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def halve(self, dtype: torch.dtype) -> "FastSmpler":
        """Store and compute maps and image tokens in half precision.

        Queries, rotations, body and camera keep theirs: they are few, and half of it cannot hold
        a rotation. So do the first convolutions, which make the pixels fewer: they are a few in a
        hundred operations, and what they round turns people more than what all others do.

        Args:
            dtype: float16 or bfloat16.
        """
        stem = {name: copy.deepcopy(self.backbone.get_submodule(name)) for name in self.stem}
        self.backbone.to(dtype)
        last = self.stem[-1]
        for name, layer in stem.items():
            whole = RoundedAfter(layer, dtype) if name == last else layer
            self.backbone.set_submodule(name, whole)
        self.projections.to(dtype)
        return self

    def forward(self, crops: Tensor) -> Outputs:
        """Estimate one person in each crop.

        Args:
            crops: (b, s, s, 3) uint8 RGB.

        Returns:
            rotations (b, 24, 3, 3), betas (b, 10), camera (b, 3), joints (b, 24, 3) in metres and
            keypoints (b, 24, 2); see `types.Stage`.
        """
        return self.refine(self.features(crops))

    def features(self, crops: Tensor) -> list[Tensor]:
        """Return the backbone's four maps (b, n, h, w) of (b, s, s, 3) crops, finest first."""
        images = (crops.to(self.mean.dtype).permute(0, 3, 1, 2) - self.mean) * self.scale
        maps: list[Tensor] = self.backbone(images)
        return maps

    def refine(self, features: Sequence[Tensor]) -> Outputs:
        """Turn the four maps into what `forward` returns."""
        pooled = features[-1].to(self.mean.dtype).mean((2, 3))
        stage = self._observe(self.regressor(pooled))
        queries = self.embedding(stage, pooled)
        projected = [project(m) for project, m in zip(self.projections, features, strict=True)]
        finest = projected[0][0]
        tokens = [t.unbind(2) for _, t in projected]  # one (b, h * w, c) for each block
        for index, block in enumerate(self.blocks):
            maps = [of_map[index] for of_map in tokens]
            queries, estimate = block(queries, stage, finest[:, :, index], maps)
            stage = self._observe(estimate)
        return stage.rotations, stage.betas, stage.camera, stage.joints, stage.keypoints

    def _observe(self, estimate: Estimate) -> Stage:
        joints = self.body.joints(estimate.rotations, estimate.betas)
        keypoints = project_weak_perspective(joints, estimate.camera)
        return Stage(estimate.rotations, estimate.betas, estimate.camera, joints, keypoints)


class CropsToMaps(nn.Module):
    """The first part of a fast network by itself."""

    def __init__(self, network: FastSmpler) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """See `FastSmpler.features`."""
        return tuple(self.network.features(crops))


class MapsToOutputs(nn.Module):
    """The second part of a fast network by itself."""

    def __init__(self, network: FastSmpler) -> None:
        super().__init__()
        self.network = network

    def forward(self, *maps: Tensor) -> Outputs:
        """See `FastSmpler.refine`."""
        return self.network.refine(maps)


class RoundedAfter(nn.Module):
    """A layer that computes in its own precision and rounds what it returns."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.dtype = layer, dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's result in another type."""
        rounded: Tensor = self.layer(x).to(self.dtype)
        return rounded


class FastRegressor(nn.Module):
    """The first guess, with pose, shape and camera as one vector.

    What the image adds to the first hidden layer is the same in every iteration.
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
        self.delta = linear_from(
            torch.cat([head.weight for head in heads]), torch.cat([head.bias for head in heads])
        )
        self.register_buffer("initial", torch.cat(starts, 1))

    def forward(self, pooled: Tensor) -> Estimate:
        """(b, n) pooled coarsest map -> the first estimate."""
        from_image = self.image(pooled)
        values = self.initial.expand(pooled.shape[0], -1)
        for _ in range(self.iterations):
            hidden = F.relu(from_image + F.linear(values, self.parameters_in))
            values = values + self.delta(F.relu(self.hidden(hidden)))
        pose, shape, camera = torch.split(values, self.sizes, 1)
        return Estimate(rotation_from_6d(pose.reshape(-1, JOINT_COUNT, 6)), shape, camera)
