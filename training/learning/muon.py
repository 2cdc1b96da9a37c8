"""Muon: steps along the orthogonalised momentum of each weight matrix.

Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, for the
iteration; Liu et al., "Muon is scalable for LLM training", 2025, for the size of the steps.
`torch.optim.Muon` takes no convolutions, and its bfloat16 has no instructions on most CPUs. Here
the iteration is in float32, on the small squares of the matrices, for all of one shape at once.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ADAM_SIZE = 0.2
"""Root mean square of AdamW's usual steps at a learning rate of 1."""

_FEWEST = 12
"""Inputs or outputs below which a layer's steps have too few directions to balance."""


class Muon(torch.optim.Optimizer):
    """Learns the weights of linear layers and convolutions; the first dimension is the outputs.

    A step has the root mean square of a usual step of AdamW at the same learning rate.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        """Take weights, or groups of weights.

        Raises:
            ValueError: one has a single dimension.
        """
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)
        for group in self.param_groups:
            flat = [weights for weights in group["params"] if weights.ndim < 2]
            if flat:
                raise ValueError(
                    f"weights must have two or more dimensions, got {tuple(flat[0].shape)}; "
                    "give such to another optimiser"
                )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the weights that have a gradient."""
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor, dict[str, Any]]]] = {}
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    ahead = self._look_ahead(weights, group["momentum"])
                    by_shape.setdefault(ahead.shape, []).append((weights, ahead, group))
        for shape, members in by_shape.items():
            turned = orthogonalise(torch.stack([ahead for _, ahead, _ in members]))
            size = _ADAM_SIZE * max(shape) ** 0.5
            for (weights, _, group), direction in zip(members, turned, strict=True):
                weights.mul_(1 - group["lr"] * group["weight_decay"])
                weights.add_(direction.reshape(weights.shape), alpha=-group["lr"] * size)

    def _look_ahead(self, weights: Tensor, momentum: float) -> Tensor:
        """Return Nesterov's momentum as a matrix (outputs, all else)."""
        state = self.state[weights]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weights)
        state["momentum"].lerp_(weights.grad, 1 - momentum)
        ahead: Tensor = weights.grad.lerp(state["momentum"], momentum)  # type: ignore[union-attr]
        return ahead.flatten(1)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring the singular values of (n, rows, columns) matrices close to one.

    Returns:
        Matrices with the same singular vectors and singular values of about 0.7 to 1.2; those
        that were zero stay zero.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    # Each round multiplies x from the left by a polynomial of x x', so the rounds' product is
    # found among these small squares, and the long matrices are touched twice in all.
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


def find_matrices(model: nn.Module) -> set[Tensor]:
    """Return the weights that Muon is meant for: of linear layers and of full convolutions."""
    layers = [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)
    ]
    return {layer.weight for layer in layers if min(layer.weight.flatten(1).shape) >= _FEWEST}
