"""Muon against its source's definition."""

import pytest
import torch
from torch import nn

from training.learning.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 16, 16)])
def test_singular_values_are_brought_close_to_one(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonalise(matrices) @ vh.mT
    values = found.diagonal(dim1=1, dim2=2)
    # The directions stay, so what is not on the diagonal is rounding.
    assert torch.allclose(found, torch.diag_embed(values), atol=1e-4)
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_the_polynomial_is_that_of_the_source() -> None:
    """The products in another order give what five rounds on the long matrices give."""
    generator = torch.Generator().manual_seed(0)
    u, _, vh = torch.linalg.svd(torch.randn(2, 24, 216, generator=generator), full_matrices=False)
    values = torch.logspace(0, -4, 24)
    matrices = (u * values) @ vh
    wanted = matrices.double() / values.double().norm()
    for _ in range(5):
        squared = wanted @ wanted.mT
        wanted = 3.4445 * wanted + (-4.7750 * squared + 2.0315 * squared @ squared) @ wanted
    assert (orthogonalise(matrices) - wanted).abs().max() < 1e-3


def test_no_gradient_gives_no_step() -> None:
    assert torch.equal(orthogonalise(torch.zeros(1, 4, 9)), torch.zeros(1, 4, 9))


def step(gradient: torch.Tensor) -> torch.Tensor:
    weights = nn.Parameter(torch.zeros(gradient.shape))
    weights.grad = gradient
    Muon([weights], 0.1).step()
    return weights.detach()


def test_steps_do_not_depend_on_the_gradients_size() -> None:
    gradient = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(step(gradient), step(1000 * gradient), atol=1e-5)
    assert (step(gradient) * gradient).sum() < 0


def test_a_least_squares_problem_is_solved() -> None:
    generator = torch.Generator().manual_seed(0)
    wanted, inputs = (torch.randn(n, 12, generator=generator) for n in (6, 64))
    weights = nn.Parameter(torch.zeros(6, 12))
    optimiser = Muon([weights])
    for number in range(400):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - number / 400)
        optimiser.zero_grad()
        ((inputs @ (weights - wanted).T) ** 2).mean().backward()
        optimiser.step()
    assert torch.allclose(weights, wanted, atol=0.02)


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more dimensions, got"):
        Muon([nn.Parameter(torch.zeros(3))])
