"""Attention between the 26 target queries and the image, and among the queries.

SMPLer, section 3: the target tokens attend to the image tokens and to one another, the image
tokens attend to nothing. With l_F image and l_T target tokens this costs O(l_F l_T + l_T^2)
instead of the O((l_F + l_T)^2) of joint attention over all tokens, which makes maps of 56x56
pixels affordable. Both kinds are units here, with the same interface.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.network.config import AttentionKind, ModelConfig
from smpler_model.network.sampling import PATCH_RADIUS, Patches

LAYER_NORM_EPS = 1e-12


class AttentionLayer(nn.Module):
    """Attention of normalised queries to tokens, then an MLP, each with a residual."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm = nn.LayerNorm(width, LAYER_NORM_EPS)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width, LAYER_NORM_EPS),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(
        self, queries: Tensor, tokens: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Update the queries.

        Args:
            queries: (..., q, c).
            tokens: (..., t, c) to attend to, not normalised here; the normalised queries
                themselves if None.
            bias: (..., heads, q, t) added to the scores.

        Returns:
            (..., q, c).
        """
        normalised = self.norm(queries)
        tokens = normalised if tokens is None else tokens
        attended = F.scaled_dot_product_attention(
            self._split(self.query(normalised)),
            self._split(self.key(tokens)),
            self._split(self.value(tokens)),
            attn_mask=bias,
            dropout_p=self.dropout if self.training else 0.0,
        )  # (..., heads, q, c / heads)
        merged = attended.transpose(-3, -2).flatten(-2)  # (..., q, c)
        queries = queries + F.dropout(self.output(merged), self.dropout, self.training)
        updated: Tensor = queries + self.mlp(queries)
        return updated

    def _split(self, tokens: Tensor) -> Tensor:
        split = tokens.reshape(*tokens.shape[:-1], self.heads, -1)  # (..., t, heads, c / heads)
        return split.transpose(-3, -2)


class MultiScaleAttention(nn.Module):
    """Queries attend to all pixels of each map separately; the results are averaged over maps."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_layer(config) for _ in config.channels)

    def forward(self, queries: Tensor, tokens: Sequence[Tensor]) -> Tensor:
        """(b, q, c) queries, one (b, h * w, c) for each map -> (b, q, c)."""
        updated = [layer(queries, t) for layer, t in zip(self.layers, tokens, strict=True)]
        return torch.stack(updated).mean(0)


class JointAwareAttention(nn.Module):
    """Each joint's query attends to the finest map's pixels around that joint only.

    A pixel's score depends on its offset from the joint, through a learned table of 9x9 offsets
    for each head, interpolated bilinearly and zero outside.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        side = 2 * PATCH_RADIUS + 1
        self.layer = _layer(config)
        self.bias_table = nn.Parameter(torch.zeros(1, config.heads, side, side))

    def forward(self, joint_queries: Tensor, patches: Patches) -> Tensor:
        """(b, 24, c) queries and the patches around their joints -> (b, 24, c)."""
        # Each joint is a separate attention problem: one query, 64 tokens.
        bias = self._bias(patches.offsets)
        updated: Tensor = self.layer(joint_queries[:, :, None], patches.features, bias)
        return updated.squeeze(2)

    def _bias(self, offsets: Tensor) -> Tensor:
        b = len(offsets)
        bias = F.grid_sample(
            self.bias_table.expand(b, -1, -1, -1), offsets / PATCH_RADIUS, align_corners=True
        )  # (b, heads, 24, 64)
        return bias.transpose(1, 2)[:, :, :, None]  # (b, 24, heads, 1, 64)


class DecoupledUnit(nn.Module):
    """SMPLer's unit: attention to all maps and around the joints, then among the queries."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.multi_scale = MultiScaleAttention(config)
        self.joint_aware = JointAwareAttention(config)
        self.among_queries = _layer(config)

    def forward(
        self, queries: Tensor, tokens: Sequence[Tensor], patches: Patches
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Update the queries; the image tokens are unchanged.

        Args:
            queries: (b, 26, c).
            tokens: (b, h * w, c) for each map.
            patches: pixels around the 24 joints.

        Returns:
            The new queries and the tokens for the next unit.
        """
        updated = self.multi_scale(queries, tokens)
        updated = _mix_joints(updated, self.joint_aware(queries[:, : patches.count], patches))
        return self.among_queries(updated), tokens


class FullUnit(nn.Module):
    """For comparison only: one self-attention over image and target tokens together.

    It replaces the attention to all maps and the one among the queries; the joint-aware attention
    stays, so that nothing else differs.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.over_all = _layer(config)
        self.joint_aware = JointAwareAttention(config)

    def forward(
        self, queries: Tensor, tokens: Sequence[Tensor], patches: Patches
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Update queries and image tokens; shapes as in `DecoupledUnit`."""
        together = self.over_all(torch.cat((queries, *tokens), 1))
        updated, *tokens = together.split([queries.shape[1], *(t.shape[1] for t in tokens)], 1)
        near = self.joint_aware(queries[:, : patches.count], patches)
        return _mix_joints(updated, near), tokens


def _mix_joints(queries: Tensor, near: Tensor) -> Tensor:
    """Average the first rows of (b, 26, c) with the (b, 24, c) of the joint-aware attention."""
    joints, others = queries.tensor_split([near.shape[1]], dim=1)
    return torch.cat(((joints + near) / 2, others), 1)


def _layer(config: ModelConfig) -> AttentionLayer:
    return AttentionLayer(config.width, config.heads, config.dropout)


UNITS: dict[AttentionKind, type[DecoupledUnit] | type[FullUnit]] = {
    "decoupled": DecoupledUnit,
    "full": FullUnit,
}
"""The unit for each kind of attention."""
