"""The Transformer's blocks for inference: same function, fewer operations.

The projections of a feature map for all blocks are one product. Attention's matrices are
multiplied out beforehand. With 26 queries and 3136 pixels it is cheaper to project the queries:
(W_q q) . (W_k t) = (W_k^T W_q q) . t, so that a head's scores are one product of 26 queries with
the unprojected pixels, and no keys are computed. The same holds for the values, with
W_o W_v (sum of p t). A key's bias adds the same number to all scores of a query, which the softmax
cancels; a value's bias passes through, as the attention weights sum to one. Gain and shift of a
LayerNorm are folded into the matrix behind it.

A `source` here is an attention layer that reads the image: one for each feature map, and last the
joint-aware one. All sources share the queries, so each of their steps is one product.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.body.smpl import Body
from smpler_model.network.attention import LAYER_NORM_EPS, AttentionLayer, DecoupledUnit
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
from smpler_model.network.turn_feedback import TURNED_ROWS, find_turns


def plain_norm(width: int) -> nn.LayerNorm:
    """Return a LayerNorm without gain and shift."""
    return nn.LayerNorm(width, LAYER_NORM_EPS, elementwise_affine=False)


def linear_from(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return a layer with (n, m) weights and an (n,) bias."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.weight.data, layer.bias.data = weight.detach().clone(), bias.detach().clone()
    return layer


def fold_norm(norm: nn.LayerNorm, layer: nn.Linear) -> nn.Linear:
    """Return a layer that acts on values without gain and shift as `layer` does behind `norm`."""
    return linear_from(layer.weight * norm.weight, layer.weight @ norm.bias + layer.bias)


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


class Refined(NamedTuple):
    """What a block returns: queries (b, 26, c) for the next one, and the new estimate."""

    queries: Tensor
    estimate: Estimate


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
    of_turned: Tensor
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
        self.turn_feedback = block.turn_feedback
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
        self.register_buffer("of_limbs", _of_queries(LIMB_ROWS).to(finest.weight))
        self.register_buffer("of_turned", _of_queries(TURNED_ROWS).to(finest.weight))

    def forward(
        self,
        queries: Tensor,
        stage: Stage,
        observed: Tensor | None,
        body: Body,
        finest: Tensor,
        tokens: list[Tensor],
    ) -> Refined:
        """Refine a stage.

        Args:
            queries: (b, 26, c).
            stage: the estimate so far.
            observed: (b, 12, 3) the backbone's keypoints, where the model gets feedback.
            body: the body that is posed for the feedback.
            finest: (b, h * w, c) finest map, normalised, without gain and shift.
            tokens: (b, h * w, c) for each map.
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
        if self.turn_feedback is not None and observed is not None:
            turns = find_turns(stage, observed, body)
            queries = queries + self.of_turned @ self.turn_feedback(turns)
        updated = self.query_projection(queries) + self.query_positions
        biases = self._look_up_biases((near - pixels[:, :, None]) / PATCH_RADIUS)
        patches = patches.to(finest.dtype)
        for unit, bias in zip(self.units, biases, strict=True):
            updated = unit(updated, tokens, patches, bias.to(finest.dtype))
        queries = self.output(torch.cat((updated, queries), -1))
        return Refined(queries, self._correct(stage, queries))

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


class FusedUnit(nn.Module):
    """A `DecoupledUnit`: attention to each map and around the joints, then among the queries."""

    source_output: Tensor
    source_output_bias: Tensor
    mlp_in: Tensor
    mlp_in_bias: Tensor
    row_weights: Tensor
    mlp_out_bias: Tensor

    def __init__(self, unit: DecoupledUnit, query_count: int, joint_count: int) -> None:
        super().__init__()
        layers: list[Any] = [*unit.multi_scale.layers, unit.joint_aware.layer]
        self.heads, self.width = layers[0].heads, layers[0].query.in_features
        self.query_count, self.joint_count = query_count, joint_count
        self.source_width = self.heads * self.width
        self.normalise = plain_norm(self.width)
        absorbed = [_absorb_query(layer) for layer in layers]
        self.query = linear_from(
            torch.cat([part.weight for part in absorbed]),
            torch.cat([part.bias for part in absorbed]),
        )
        outputs = [_absorb_value(layer) for layer in layers]
        self._hold("source_output", [part.weight.T for part in outputs])  # (n, heads * c, c)
        self._hold("source_output_bias", [part.bias[None] for part in outputs])  # (n, 1, c)
        hidden = [fold_norm(layer.mlp[0], layer.mlp[1]) for layer in layers]
        self._hold("mlp_in", [layer.weight.T for layer in hidden])  # (n, c, 2 c)
        self._hold("mlp_in_bias", [layer.bias[None] for layer in hidden])  # (n, 1, 2 c)
        last = [layer.mlp[3] for layer in layers]
        rows = _row_weights(len(layers), query_count, joint_count).to(self.mlp_in)
        self._hold("row_weights", list(rows[..., None]))  # (n, q, 1)
        bias = torch.einsum("nq,nc->qc", rows, torch.stack([layer.bias for layer in last]))
        self.register_buffer("mlp_out_bias", bias.detach())  # (q, c)
        self.mlp_out = nn.Parameter(torch.cat([layer.weight.T for layer in last]).detach())
        self.among_queries = FusedSelfAttention(unit.among_queries, query_count)

    def forward(
        self, queries: Tensor, tokens: list[Tensor], patches: Tensor, bias: Tensor
    ) -> Tensor:
        """Update the queries.

        Args:
            queries: (b, q, c).
            tokens: (b, h * w, c) for each map.
            patches: (b, k, 64, c) around the k joints, which are the first queries.
            bias: (b, k, heads, 64) added to the scores of the patches' pixels.

        Returns:
            (b, q, c).
        """
        asked = self.query(self.normalise(queries)).to(patches.dtype)
        *per_map, near = asked.split(self.source_width, -1)  # (b, q, heads * c) each
        seen = [self._look(q, t) for q, t in zip(per_map, tokens, strict=True)]
        seen.append(self._look_near(near, patches, bias))
        return self.among_queries(self._mix(queries, torch.stack(seen).to(queries.dtype)))  # type: ignore[no-any-return]

    def _look(self, asked: Tensor, tokens: Tensor) -> Tensor:
        """Attend from (b, q, heads * c) to (b, t, c), the keys and values of all heads."""
        rows = asked.reshape(-1, 1, self.query_count * self.heads, self.width)
        pixels = tokens[:, None]
        seen = F.scaled_dot_product_attention(rows, pixels, pixels, scale=1.0)
        return seen.reshape(-1, self.query_count, self.source_width)

    def _look_near(self, asked: Tensor, patches: Tensor, bias: Tensor) -> Tensor:
        """Attend from each joint to its own pixels; other queries get zeros."""
        k = self.joint_count
        rows = asked[:, :k].reshape(-1, k, self.heads, self.width)
        seen = F.scaled_dot_product_attention(rows, patches, patches, bias, scale=1.0)
        seen = seen.reshape(-1, k, self.source_width)
        return F.pad(seen, (0, 0, 0, self.query_count - k))

    def _mix(self, queries: Tensor, seen: Tensor) -> Tensor:
        """Finish all sources' layers and average them: (n, b, q, heads * c) -> (b, q, c).

        Weighting the hidden values instead of the results makes the average part of the product.
        """
        n, q, c = len(self.source_output), self.query_count, self.width
        rows = seen.reshape(n, -1, self.source_width)  # (n, b * q, heads * c)
        output = torch.baddbmm(self.source_output_bias, rows, self.source_output)
        attended = queries + output.reshape(n, -1, q, c)
        rows = self.normalise(attended).reshape(n, -1, c)
        hidden = torch.baddbmm(self.mlp_in_bias, rows, self.mlp_in).reshape(n, -1, q, 2 * c)
        weights = self.row_weights[:, None]  # (n, 1, q, 1)
        weighted = (F.gelu(hidden) * weights).permute(1, 2, 0, 3).reshape(-1, q, n * 2 * c)
        return (attended * weights).sum(0) + weighted @ self.mlp_out + self.mlp_out_bias

    def _hold(self, name: str, parts: list[Tensor]) -> None:
        self.register_buffer(name, torch.stack(parts).detach())


class FusedSelfAttention(nn.Module):
    """Self-attention, an `AttentionLayer` with one product for all three projections."""

    def __init__(self, layer: AttentionLayer, query_count: int) -> None:
        super().__init__()
        self.query_count, self.heads = query_count, layer.heads
        self.width = layer.query.in_features
        self.normalise = plain_norm(self.width)
        parts = [fold_norm(layer.norm, p) for p in (layer.query, layer.key, layer.value)]
        self.projection = linear_from(
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        )
        self.output = layer.output
        mlp: Any = layer.mlp
        self.mlp_in = fold_norm(mlp[0], mlp[1])
        self.mlp_out = mlp[3]

    def forward(self, queries: Tensor) -> Tensor:
        """(b, q, c) -> (b, q, c)."""
        q, c = self.query_count, self.width
        of_head = c // self.heads
        projected = self.projection(self.normalise(queries)).reshape(-1, q, 3, self.heads, of_head)
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)  # (b, heads, q, of_head)
        attended = F.scaled_dot_product_attention(query, key, value, scale=of_head**-0.5)
        queries = queries + self.output(attended.transpose(1, 2).reshape(-1, q, c))
        updated: Tensor = queries + self.mlp_out(F.gelu(self.mlp_in(self.normalise(queries))))
        return updated


def _pool_positions(positions: Tensor, scale: int) -> Tensor:
    """Return the finest map's (1, c, s, s) position embedding pooled to a scale, (h * w, c)."""
    for _ in range(scale):
        positions = F.avg_pool2d(positions, 2)
    return positions.flatten(2).squeeze(0).T


def _of_queries(rows: Sequence[int]) -> Tensor:
    """Return the (26, n) matrix that adds n values to the queries of some joints."""
    return torch.eye(QUERY_COUNT)[:, list(rows)]


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


class _Affine(NamedTuple):
    """Weights (n, m) and bias (n,) of a linear layer."""

    weight: Tensor
    bias: Tensor


def _absorb_query(layer: AttentionLayer) -> _Affine:
    """Return W_k^T W_q / sqrt(d) of all heads, (heads * c, c), and its bias, (heads * c,)."""
    query = fold_norm(layer.norm, layer.query)
    c = query.weight.shape[1]
    width = c // layer.heads
    key = layer.key.weight.reshape(layer.heads, width, c) / width**0.5
    weight = torch.einsum("hdt,hdc->htc", key, query.weight.reshape(layer.heads, width, c))
    bias = torch.einsum("hdt,hd->ht", key, query.bias.reshape(layer.heads, width))
    return _Affine(weight.flatten(0, 1), bias.flatten())


def _absorb_value(layer: AttentionLayer) -> _Affine:
    """Return W_o W_v of all heads side by side, (c, heads * c), and its bias, (c,)."""
    c = layer.value.weight.shape[1]
    output = layer.output.weight.reshape(c, layer.heads, -1)  # (c, heads, d)
    value = layer.value.weight.reshape(layer.heads, -1, c)  # (heads, d, c)
    weight = torch.einsum("ohd,hdc->ohc", output, value).flatten(1)
    return _Affine(weight, layer.output.weight @ layer.value.bias + layer.output.bias)


def _row_weights(sources: int, query_count: int, joint_count: int) -> Tensor:
    """Return each source's weight for each query, (sources, q).

    All maps have equal weights. For a joint, its patch weighs as much as all maps together.
    """
    maps = sources - 1
    weights = torch.full((sources, query_count), 1 / maps, dtype=torch.float64)
    weights[-1] = 0
    weights[:-1, :joint_count] /= 2
    weights[-1, :joint_count] = 1 / 2
    return weights
