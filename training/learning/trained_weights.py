"""Which of a network's weights are trained; the others are frozen."""

from typing import Literal

from torch import nn

from smpler_model.network.bone_turning import BoneTurning
from smpler_model.network.mobile_backbone import FIRST_BRANCHED, MobileBackbone
from smpler_model.network.smpler import BackboneModel, Smpler

Trained = Literal["all", "pose", "keypoints", "transformer", "alignment"]
"""Everything; everything but what finds a mobile backbone's keypoints; that alone; the Transformer
and the alignment with keypoints; that alignment alone.
"""


def hold_others(model: BackboneModel, trained: Trained) -> None:
    """Freeze the weights that are not trained.

    Args:
        model: model whose weights are frozen in place.
        trained: those that are trained.

    Raises:
        ValueError: the model has no such weights.
    """
    if trained == "pose":
        backbone = _find_branched(model, trained)
        backbone.requires_grad_(False)
        _release(backbone.branch)
    elif trained == "keypoints":
        backbone = _find_branched(model, trained)
        model.requires_grad_(False)
        _release(*backbone.groups[FIRST_BRANCHED:], backbone.last, backbone.top)
        _release(backbone.laterals, backbone.merges)
        _release(backbone.heat, backbone.centre, backbone.reach, backbone.offset)
    elif trained == "transformer":
        if not isinstance(model, Smpler):
            raise ValueError(
                "`trained: transformer` needs a model with a Transformer, got one of the backbone "
                "stage; set stage to smpler"
            )
        model.requires_grad_(False)
        _release(model.embedding, model.blocks, model.trunk_alignment, model.limb_alignment)
    elif trained == "alignment":
        aligning = [each for each in model.modules() if isinstance(each, BoneTurning)]
        if not aligning:
            raise ValueError(
                "`trained: alignment` needs a model that aligns its estimate with keypoints, got "
                f"{model.config.name}; set trained to all"
            )
        model.requires_grad_(False)
        _release(*aligning)


def keep_still(model: BackboneModel, trained: Trained) -> None:
    """Let frozen parts compute as in evaluation: no dropout, no new statistics of batch norms."""
    if trained == "transformer":
        model.backbone.eval()
        model.regressor.eval()


def _release(*parts: nn.Module | None) -> None:
    for part in parts:
        if part is not None:
            part.requires_grad_(True)


def _find_branched(model: BackboneModel, trained: Trained) -> MobileBackbone:
    """Return a model's backbone, whose first blocks the pose branch shares."""
    backbone = model.backbone
    if not isinstance(backbone, MobileBackbone) or backbone.branch is None:
        raise ValueError(
            f"`trained: {trained}` needs a backbone with a pose branch, got that of "
            f"{model.config.name}; set trained to all"
        )
    return backbone
