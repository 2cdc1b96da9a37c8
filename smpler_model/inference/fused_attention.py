"""SMPLer's attention with its matrices multiplied out beforehand: same function, fewer operations.

With 26 queries and 3136 pixels it is cheaper to project the queries:
(W_q q) . (W_k t) = (W_k^T W_q q) . t, so that a head's scores are one product of 26 queries with
the unprojected pixels, and no keys are computed. The same holds for the values, with
W_o W_v (sum of p t). A key's bias adds the same number to all scores of a query, which the softmax
cancels; a value's bias passes through, as the attention weights sum to one. Gain and shift of a
LayerNorm are folded into the matrix behind it.

A `source` here is an attention layer that reads the image: one for each feature map, and last the
joint-aware one. All sources share the queries, so each of their steps is one product.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.network.attention import LAYER_NORM_EPS, AttentionLayer, DecoupledUnit


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
        self.query = linear_from(*(torch.cat(part) for part in zip(*absorbed, strict=True)))
        outputs = [_absorb_value(layer) for layer in layers]
        self._hold("source_output", [weight.T for weight, _ in outputs])  # (n, heads * c, c)
        self._hold("source_output_bias", [bias[None] for _, bias in outputs])  # (n, 1, c)
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


def _absorb_query(layer: AttentionLayer) -> tuple[Tensor, Tensor]:
    """Return W_k^T W_q / sqrt(d) of all heads, (heads * c, c), and its bias, (heads * c,)."""
    query = fold_norm(layer.norm, layer.query)
    c = query.weight.shape[1]
    width = c // layer.heads
    key = layer.key.weight.reshape(layer.heads, width, c) / width**0.5
    weight = torch.einsum("hdt,hdc->htc", key, query.weight.reshape(layer.heads, width, c))
    bias = torch.einsum("hdt,hd->ht", key, query.bias.reshape(layer.heads, width))
    return weight.flatten(0, 1), bias.flatten()


def _absorb_value(layer: AttentionLayer) -> tuple[Tensor, Tensor]:
    """Return W_o W_v of all heads side by side, (c, heads * c), and its bias, (c,)."""
    c = layer.value.weight.shape[1]
    output = layer.output.weight.reshape(c, layer.heads, -1)  # (c, heads, d)
    value = layer.value.weight.reshape(layer.heads, -1, c)  # (heads, d, c)
    weight = torch.einsum("ohd,hdc->ohc", output, value).flatten(1)
    return weight, layer.output.weight @ layer.value.bias + layer.output.bias


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
