from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from smpler_model.network.attention import (
    UNITS,
    AttentionLayer,
    DecoupledUnit,
    FullUnit,
    JointAwareAttention,
    MultiScaleAttention,
)
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.sampling import Patches, sample_patches

WIDTH = SMPLER_NANO.width


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def inputs() -> tuple[Tensor, Sequence[Tensor], Patches]:
    """Queries, tokens of four small maps, and patches around the joints."""
    sides = (16, 8, 4, 2)
    tokens = [torch.randn(2, side * side, WIDTH) for side in sides]
    finest = tokens[0].reshape(2, 16, 16, WIDTH)
    return torch.randn(2, 26, WIDTH), tokens, sample_patches(finest, torch.rand(2, 24, 2) - 0.5)


def test_layer_equals_torch_attention_with_residuals() -> None:
    layer = AttentionLayer(WIDTH, 4, 0.0).eval()
    oracle = nn.MultiheadAttention(WIDTH, 4, batch_first=True).eval()
    with torch.no_grad():
        oracle.in_proj_weight.copy_(
            torch.cat((layer.query.weight, layer.key.weight, layer.value.weight))
        )
        oracle.in_proj_bias.copy_(torch.cat((layer.query.bias, layer.key.bias, layer.value.bias)))
        oracle.out_proj.load_state_dict(layer.output.state_dict())
    queries, tokens = torch.randn(2, 5, WIDTH), torch.randn(2, 9, WIDTH)

    attended = queries + oracle(layer.norm(queries), tokens, tokens)[0]
    expected = attended + layer.mlp(attended)

    assert torch.allclose(layer(queries, tokens), expected, atol=1e-5)


def test_layer_attends_to_its_own_normalised_queries_by_default() -> None:
    layer = AttentionLayer(WIDTH, 4, 0.0).eval()
    queries = torch.randn(2, 5, WIDTH)
    assert torch.equal(layer(queries), layer(queries, layer.norm(queries)))


def test_layer_drops_out_in_training_only() -> None:
    layer = AttentionLayer(WIDTH, 4, 0.5)
    queries = torch.randn(1, 5, WIDTH)
    assert not torch.equal(layer(queries), layer(queries))
    layer.eval()
    assert torch.equal(layer(queries), layer(queries))


def test_order_of_tokens_does_not_matter(
    inputs: tuple[Tensor, Sequence[Tensor], Patches],
) -> None:
    queries, tokens, _ = inputs
    attention = MultiScaleAttention(SMPLER_NANO).eval()
    shuffled = [t[:, torch.randperm(t.shape[1])] for t in tokens]
    expected = attention(queries, tokens)
    assert torch.allclose(attention(queries, shuffled), expected, atol=1e-5)


def test_joints_do_not_attend_to_each_others_patches(
    inputs: tuple[Tensor, Sequence[Tensor], Patches],
) -> None:
    queries, _, patches = inputs
    attention = JointAwareAttention(SMPLER_NANO).eval()
    features = patches.features.clone()
    features[:, 7] += 1

    before = attention(queries[:, :24], patches)
    after = attention(queries[:, :24], replace(patches, features=features))

    changed = (before != after).any(-1).all(0)
    assert changed.nonzero().flatten().tolist() == [7]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        pytest.param((-4.0, -4.0), 0.0, id="upper left corner"),
        pytest.param((4.0, -4.0), 8.0, id="upper right corner"),
        pytest.param((-4.0, 4.0), 72.0, id="lower left corner"),
        pytest.param((0.0, 0.0), 40.0, id="on the joint"),
        pytest.param((0.5, 0.0), 40.5, id="half a pixel to the right"),
        pytest.param((0.0, 0.5), 44.5, id="half a pixel down"),
        pytest.param((4.5, 4.0), 40.0, id="half beyond"),
        pytest.param((5.0, 0.0), 0.0, id="beyond"),
        pytest.param((0.0, -300.0), 0.0, id="far beyond"),
    ],
)
def test_bias_is_interpolated_and_zero_outside_its_table(
    offset: tuple[float, float], expected: float
) -> None:
    attention = JointAwareAttention(SMPLER_NANO)
    with torch.no_grad():
        attention.bias_table.copy_(torch.arange(81.0).reshape(1, 1, 9, 9))
        bias = attention._bias(torch.tensor(offset).expand(2, 24, 64, 2))
    assert bias.shape == (2, 24, SMPLER_NANO.heads, 1, 64)
    assert torch.allclose(bias, torch.full_like(bias, expected), atol=1e-4)


def test_decoupled_unit_does_not_change_image_tokens(
    inputs: tuple[Tensor, Sequence[Tensor], Patches],
) -> None:
    queries, tokens, patches = inputs
    updated, after = DecoupledUnit(SMPLER_NANO).eval()(queries, tokens, patches)
    assert updated.shape == queries.shape
    assert after is tokens


def test_full_unit_lets_the_image_attend_to_the_targets(
    inputs: tuple[Tensor, Sequence[Tensor], Patches],
) -> None:
    queries, tokens, patches = inputs
    unit = FullUnit(SMPLER_NANO).eval()
    updated, after = unit(queries, tokens, patches)
    _, after_others = unit(queries + 1.5 * torch.randn_like(queries), tokens, patches)
    assert updated.shape == queries.shape
    assert [t.shape for t in after] == [t.shape for t in tokens]
    assert all((a != b).any() for a, b in zip(after, after_others, strict=True))


@pytest.mark.parametrize("kind", list(UNITS))
def test_shape_and_camera_rows_skip_the_patches(
    inputs: tuple[Tensor, Sequence[Tensor], Patches], kind: str
) -> None:
    queries, tokens, patches = inputs
    unit = UNITS[kind](SMPLER_NANO).eval()
    if isinstance(unit, DecoupledUnit):
        unit.among_queries = nn.Identity()  # it would mix the rows
    other = replace(patches, features=patches.features + 1)
    before, after = unit(queries, tokens, patches)[0], unit(queries, tokens, other)[0]
    assert (before[:, :24] != after[:, :24]).any(-1).all()
    assert torch.equal(before[:, 24:], after[:, 24:])
