"""A network that answers with its first guess, to compare with its last estimate."""

from collections.abc import Sequence

from torch import Tensor

from smpler_model.network.estimates import Stage
from smpler_model.network.mean_parameters import upright_parameters
from smpler_model.network.smpler import Smpler


class FirstGuess(Smpler):
    """Neither its Transformer nor its alignment changes the initial estimate."""

    def refine_by_blocks(
        self, features: Sequence[Tensor]
    ) -> tuple[list[Stage], Tensor, Tensor | None]:
        """Return the initial estimate twice; without keypoints nothing is aligned with them."""
        guess = self.guess(features)
        queries = self.embedding(guess, features[-1].mean((2, 3)))
        return [guess, guess], queries, None


def guess_only(model: Smpler) -> FirstGuess:
    """Return a network with the weights of a model that answers with the first guess."""
    first = FirstGuess(model.config, model.body.arrays(), upright_parameters())
    first.load_state_dict(model.state_dict())
    return first
