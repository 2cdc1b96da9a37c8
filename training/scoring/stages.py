"""A network's estimates one by one: the first guess, each block's, and the aligned one."""

from torch import Tensor

from smpler_model.network.estimates import Stage
from smpler_model.network.smpler import Smpler

FIRST_GUESS = "first guess"
ALIGNMENT = "alignment"


def name_blocks(model: Smpler) -> list[str]:
    """Return the names of the first guess and of the estimate after each Transformer block."""
    return [FIRST_GUESS, *(f"block {number}" for number in range(1, len(model.blocks) + 1))]


def name_stages(model: Smpler) -> list[str]:
    """Return the names of all estimates, the final one last."""
    return name_blocks(model) + [ALIGNMENT] * aligns(model)


def aligns(model: Smpler) -> bool:
    """Return whether a network aligns its last block's estimate with keypoints."""
    return model.trunk_alignment is not None or model.limb_alignment is not None


def estimate_stages(model: Smpler, images: Tensor) -> dict[str, Stage]:
    """Return all estimates by their names, from one pass through the network.

    Those of the blocks are not aligned with keypoints.

    Args:
        model: model in evaluation mode.
        images: (b, 3, s, s) normalised.
    """
    stages, queries, observed = model.refine_by_blocks(model.backbone(images))
    if aligns(model):
        stages = [*stages, model.align(stages[-1], queries, observed)]
    return dict(zip(name_stages(model), stages, strict=True))
