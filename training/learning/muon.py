"""Muon: steps along the orthogonalised momentum of each weight matrix.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, including
the coefficients of the iteration. Differs: float32, one product for all matrices of a shape, and
an iteration on the small squares of the matrices, whose small values bfloat16 cannot represent.
Most CPUs have no bfloat16 instructions anyway: `torch.optim.Muon` and timm's take several times as
long there, and the former does not support convolutions.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Optimises weights of at least two dimensions; the first is that of the outputs."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        rate: float = 0.02,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        """Add weights.

        Raises:
            ValueError: a weight has only one dimension.
        """
        defaults = {"lr": rate, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)
        for group in self.param_groups:
            flat = [weights for weights in group["params"] if weights.ndim < 2]
            if flat:
                raise ValueError(
                    f"weights must have at least two dimensions, got {tuple(flat[0].shape)}; give "
                    "others to another optimiser"
                )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the weights that have a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
            for weights in group["params"]:
                if weights.grad is not None:
                    ahead = self._look_ahead(weights, group["momentum"])
                    shape = (ahead.shape[0], ahead.shape[1])
                    by_shape.setdefault(shape, []).append((weights, ahead))
            for (rows, columns), members in by_shape.items():
                turned = orthogonalise(torch.stack([ahead for _, ahead in members]))
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                for (weights, _), direction in zip(members, turned, strict=True):
                    weights.mul_(1 - group["lr"] * group["weight_decay"])
                    weights.add_(direction.reshape(weights.shape), alpha=-rate)

    def _look_ahead(self, weights: Tensor, momentum: float) -> Tensor:
        """Return Nesterov's momentum as a matrix (outputs, all other dimensions)."""
        state = self.state[weights]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weights)
        state["momentum"].lerp_(weights.grad, 1 - momentum)
        ahead: Tensor = weights.grad.lerp(state["momentum"], momentum)  # type: ignore[union-attr]
        return ahead.flatten(1)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring the singular values of (n, rows, columns) matrices close to one.

    Returns:
        Matrices with the same singular vectors and singular values of about 0.7 to 1.2; zero
        singular values stay zero.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    # Each round multiplies x from the left by a polynomial of x x', so the rounds' product can be
    # computed from these small squares, and the large matrices are used only twice.
    squared = x @ x.mT
    unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    product = unit.expand_as(squared)
    for _ in range(_ITERATIONS):
        factor = torch.baddbmm(a * unit + b * squared, squared, squared, alpha=c)
        product = factor @ product
        squared = factor @ squared @ factor
    x = product @ x
    turned: Tensor = x.mT if tall else x
    return turned
