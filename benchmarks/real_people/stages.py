"""Networks that answer with an earlier estimate, to show the gain of blocks and alignment."""

from collections.abc import Sequence

from torch import Tensor

from smpler_model.network.estimates import Stage
from smpler_model.network.mean_parameters import upright_parameters
from smpler_model.network.smpler import Smpler
from training.scoring.stages import aligns, name_blocks


class BlockAnswer(Smpler):
    """Answers with the estimate after one of its blocks, without alignment.

    Attributes:
        number: how many blocks refine the estimate; 0 for the first guess.
    """

    number: int

    def refine_by_blocks(
        self, features: Sequence[Tensor]
    ) -> tuple[list[Stage], Tensor, Tensor | None]:
        """Return the estimate and the one before; without keypoints nothing is aligned."""
        stages, queries, _ = super().refine_by_blocks(features)
        return [stages[max(self.number - 1, 0)], stages[self.number]], queries, None


def earlier_answers(model: Smpler) -> dict[str, BlockAnswer]:
    """Return a network with a model's weights for each estimate before the final one, by name."""
    names = name_blocks(model)
    if not aligns(model):
        names.pop()  # the last block's estimate is the final one
    return {name: _answer_after(model, number) for number, name in enumerate(names)}


def _answer_after(model: Smpler, number: int) -> BlockAnswer:
    answer = BlockAnswer(model.config, model.body.arrays(), upright_parameters())
    answer.load_state_dict(model.state_dict())
    answer.number = number
    return answer
