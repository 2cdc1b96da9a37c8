"""Parts of the network for inference: a block of the Transformer, and the maps that it looks at.

The projections of a feature map for all blocks are one product, and attention is that of
`fused_attention`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.inference.fused_attention import FusedUnit, linear_from, plain_norm
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import rotation_from_6d
from smpler_model.network.keypoint_feedback import compare_observed
from smpler_model.network.limbs import LIMB_ROWS
from smpler_model.network.sampling import PATCH_RADIUS
from smpler_model.network.smpler import (
    CAMERA_QUERY,
    JOINT_COUNT,
    QUERY_COUNT,
    SHAPE_QUERY,
    RefinementBlock,
)


class ProjectedMap(NamedTuple):
    """A feature map at the Transformer's width, without and with gain and shift.

    Both are (b, h * w, blocks, c).
    """

    normalised: Tensor
    tokens: Tensor


class FusedProjection(nn.Module):
    """Project a feature map to the Transformer's width, for all blocks at once."""

    gain: Tensor
    shift: Tensor

    def __init__(self, blocks: Sequence[RefinementBlock], scale: int) -> None:
        super().__init__()
        projections: list[Any] = [block.projections[scale] for block in blocks]
        convolutions = [projection.convolution for projection in projections]
        self.normalise = plain_norm(convolutions[0].out_channels)
        self.linear = linear_from(
            torch.cat([conv.weight.flatten(1) for conv in convolutions]),
            torch.cat([conv.bias for conv in convolutions]),
        )
        gain = torch.stack([projection.norm.weight for projection in projections])
        shift = torch.stack(
            [
                projection.norm.bias + _pool_positions(block.map_positions, scale)
                for projection, block in zip(projections, blocks, strict=True)
            ],
            1,
        )
        self.register_buffer("gain", gain.detach())  # (blocks, c)
        self.register_buffer("shift", shift.detach())  # (h * w, blocks, c)

    def forward(self, feature_map: Tensor) -> ProjectedMap:
        """Project a map.

        Args:
            feature_map: (b, n, h, w).

        Returns:
            The map for sampling at the joints, and the tokens for attention.
        """
        feature_map = feature_map.to(self.linear.weight.dtype)
        projected = self.linear(feature_map.permute(0, 2, 3, 1))
        normalised = self.normalise(projected.reshape(-1, *self.shift.shape))
        return ProjectedMap(normalised, torch.addcmul(self.shift, normalised, self.gain))


class FusedBlock(nn.Module):
    """A `RefinementBlock` with its constant products precomputed.

    The bilinear sample at a joint and the pixels around it are one gather, as the four pixels that
    are interpolated are among the 64.
    """

    map_gain: Tensor
    map_shift: Tensor
    window: Tensor
    spread: Tensor
    limb_rows: Tensor
    of_limbs: Tensor
    bias_tables: Tensor

    def __init__(self, block: RefinementBlock) -> None:
        super().__init__()
        units: list[Any] = list(block.units)
        self.heads = units[0].joint_aware.layer.heads
        projection: Any = block.projections[0]
        finest = projection.norm
        self.side = block.map_positions.shape[-1]
        self.joint_projection = block.joint_projection
        self.feedback = block.feedback
        self.query_projection = block.query_projection
        self.query_positions = block.query_positions
        self.units = nn.ModuleList(FusedUnit(u, QUERY_COUNT, JOINT_COUNT) for u in units)
        self.output = linear_from(
            torch.cat((block.head.weight, block.residual.weight), 1),
            block.head.bias + block.residual.bias,
        )
        self.rotation_delta = block.rotation_delta
        self.shape_delta = block.shape_delta
        self.camera_delta = block.camera_delta
        tables = [unit.joint_aware.bias_table for unit in units]
        self.register_buffer("map_gain", finest.weight.detach())
        self.register_buffer("map_shift", finest.bias.detach())
        self.register_buffer("bias_tables", torch.cat(tables, 1).detach())
        self.register_buffer("window", _window().to(finest.weight))
        self.register_buffer("spread", _spread().to(finest.weight))
        self.register_buffer("limb_rows", torch.tensor(LIMB_ROWS))
        self.register_buffer("of_limbs", _of_limbs().to(finest.weight))

    def forward(
        self,
        queries: Tensor,
        stage: Stage,
        observed: Tensor | None,
        finest: Tensor,
        tokens: list[Tensor],
    ) -> tuple[Tensor, Estimate]:
        """Refine a stage.

        Args:
            queries: (b, 26, c).
            stage: the estimate so far.
            observed: (b, 12, 3) the backbone's keypoints, where the model gets feedback.
            finest: (b, h * w, c) finest map, normalised, without gain and shift.
            tokens: (b, h * w, c) for each map.

        Returns:
            The queries for the next block and the new estimate.
        """
        pixels = (stage.keypoints + 1) / 2 * (self.side - 1)  # (b, 24, 2)
        wanted = pixels.floor()[:, :, None] + self.window  # (b, 24, 64, 2)
        near = wanted.clamp(0, self.side - 1)
        patches = self._gather(finest, near)
        seen = self._interpolate(patches, pixels, wanted, near)
        queries = queries + self.spread @ self.joint_projection(seen)
        if self.feedback is not None and observed is not None:
            found = stage.keypoints.index_select(1, self.limb_rows)
            known = self.feedback(compare_observed(observed, found))
            queries = queries + self.of_limbs @ known
        updated = self.query_projection(queries) + self.query_positions
        biases = self._look_up_biases((near - pixels[:, :, None]) / PATCH_RADIUS)
        patches = patches.to(finest.dtype)
        for unit, bias in zip(self.units, biases, strict=True):
            updated = unit(updated, tokens, patches, bias.to(finest.dtype))
        queries = self.output(torch.cat((updated, queries), -1))
        return queries, self._correct(stage, queries)

    def _gather(self, finest: Tensor, near: Tensor) -> Tensor:
        """Return the map's pixels at integer positions, (b, 24, 64, c), in the queries' type."""
        # Pixels of a patch, pixels of the map, channels.
        n, size, c = len(self.window), self.side**2, len(self.map_gain)
        position = near.to(torch.int64)  # non-finite values fall out of range and are clamped
        index = (position[..., 1] * self.side + position[..., 0]).clamp(0, size - 1)
        people = torch.arange(near.shape[0], device=finest.device)[:, None, None]
        rows = finest.reshape(-1, c).index_select(0, (people * size + index).reshape(-1))
        features = rows.to(self.map_gain.dtype) * self.map_gain + self.map_shift
        return features.reshape(-1, JOINT_COUNT, n, c)

    def _interpolate(
        self, patches: Tensor, pixels: Tensor, wanted: Tensor, near: Tensor
    ) -> Tensor:
        """Interpolate bilinearly at the joints, zero outside the map: (b, 24, c)."""
        distance = (wanted - pixels[:, :, None]).abs()
        weights = (1 - distance).clamp(min=0) * (wanted == near).to(pixels.dtype)
        return (weights.prod(-1)[:, :, None] @ patches).squeeze(2)

    def _look_up_biases(self, offsets: Tensor) -> Sequence[Tensor]:
        """(b, 24, 64, 2) offsets in [-1, 1] -> (b, 24, heads, 64) biases for each unit."""
        n, tables = len(self.window), self.bias_tables
        places = offsets.reshape(1, -1, n, 2)  # of all people in one grid
        biases = F.grid_sample(tables, places, align_corners=True).transpose(1, 2)
        biases = biases.reshape(-1, JOINT_COUNT, tables.shape[1], n)
        return torch.split(biases, self.heads, 2)

    def _correct(self, stage: Stage, queries: Tensor) -> Estimate:
        turn = rotation_from_6d(self.rotation_delta(queries[:, :JOINT_COUNT]))
        return Estimate(
            stage.rotations @ turn,
            stage.betas + self.shape_delta(queries[:, SHAPE_QUERY]),
            stage.camera + self.camera_delta(queries[:, CAMERA_QUERY]),
        )


def _pool_positions(positions: Tensor, scale: int) -> Tensor:
    """Return the finest map's (1, c, s, s) position embedding pooled to a scale, (h * w, c)."""
    for _ in range(scale):
        positions = F.avg_pool2d(positions, 2)
    return positions.flatten(2).squeeze(0).T


def _of_limbs() -> Tensor:
    """Return the (26, 12) matrix of queries by limbs, which gives each limb its own query."""
    return torch.eye(QUERY_COUNT)[:, list(LIMB_ROWS)]


def _window() -> Tensor:
    """Return the offsets of a patch's 64 pixels, row by row, x before y."""
    steps = torch.arange(1 - PATCH_RADIUS, PATCH_RADIUS + 1)
    return torch.cartesian_prod(steps, steps).flip(-1)


def _spread() -> Tensor:
    """Return the (26, 24) matrix of queries by joints: each joint's own, else the mean of all."""
    mean = torch.full(
        (QUERY_COUNT - JOINT_COUNT, JOINT_COUNT), 1 / JOINT_COUNT, dtype=torch.double
    )
    return torch.cat((torch.eye(JOINT_COUNT, dtype=torch.double), mean))
