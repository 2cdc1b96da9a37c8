"""The size of weights, relative to which they can learn."""

from torch import Tensor

_SMALLEST = 1e-3


def find_size(weights: Tensor) -> float:
    """Return the root mean square of weights of any shape, at least 0.001.

    Where norms are folded into layers, their weights differ by orders of magnitude, and so must
    their learning rates. Source: Shazeer and Stern, "Adafactor", ICML 2018 (relative step sizes).
    """
    return max(float(weights.detach().square().mean().sqrt()), _SMALLEST)
