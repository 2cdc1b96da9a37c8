"""The objective of the keypoints that a mobile backbone finds, on crops and photos.

Pixels of a keypoint's map tell whether it is there, those around it how far it is, and those near
the crop's centre where it is roughly. Besides, the keypoint that is read from all of them must be
right.

Source: Zhou et al., "Objects as Points", 2019. Differs: the loss on what is read.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.network.keypoint_feedback import FIRST_LIMB
from smpler_model.network.limbs import LIMB_ROWS
from smpler_model.network.mobile_backbone import KeypointMaps, MobileBackbone
from smpler_model.network.smpler import BackboneModel
from training.data.crop_files import Batch
from training.data.mixed import Mixed
from training.data.photo_files import PHOTO_JOINTS, Photos
from training.learning.losses import Counts
from training.learning.objectives import Objective, ObjectiveModule, normalise

_PHOTO_ROWS = [PHOTO_JOINTS.index(SMPL_JOINTS[row]) for row in LIMB_ROWS]

_HIPS = slice(
    LIMB_ROWS.index(SMPL_JOINTS.index("left_hip")),
    LIMB_ROWS.index(SMPL_JOINTS.index("right_hip")) + 1,
)
_HIPS_APART = 1.4
"""How far hips in crops are set apart: people who label photos put them farther out than SMPL's
joints are, and the keypoints of both must mean the same.
"""

_PEAK = 1.5  # pixels of the map: standard deviation of the peak around a keypoint
_NEAR = 2.0  # pixels of the map: how far around a keypoint offsets are learned
_CENTRE = 3.0  # pixels of the map: standard deviation of the weights around the crop's centre
_FOCUS = 2  # power by which pixels that are right already count less
_FAR_FROM_PEAK = 4  # power by which pixels on the slope of a peak count less
_GROSS = 0.3  # half crop sides; a keypoint this far off is taken for another, hidden, or wrong
_WEIGHTS = {"peaks": 1.0, "offsets": 1.0, "reach": 0.2, "read": 10.0}


class KeypointObjective(ObjectiveModule[Any]):
    """Losses of a mobile backbone's keypoints; no body is estimated.

    Each of several processes takes the means over the labels of its own people.
    """

    def count(self, batch: Batch | Photos | Mixed) -> Counts:
        """Return the number of people in a batch; they need no other labels."""
        nobody = batch.images.new_zeros(())
        return Counts(nobody + len(batch), nobody, nobody)

    def look(self, batch: Batch | Photos | Mixed, counts: Counts) -> Objective:
        """Compute the loss; see the base class."""
        images = normalise(batch.images, self.model, channels_last=self.settings.channels_last)
        backbone = _find_backbone(self.model)
        with self._fewer_bits("backbone", "network"):
            maps = backbone.map_keypoints(images)
        limbs = _take_limbs(KeypointMaps(*(each.float() for each in maps)))
        read = backbone.reader(*maps)[:, FIRST_LIMB:]
        losses = compare_keypoints(limbs, read, label_keypoints(batch))
        terms = {name: _WEIGHTS[name] * loss for name, loss in losses.items()}
        return Objective(
            torch.stack(list(terms.values())).sum(),
            {name: term.detach() for name, term in terms.items()},
        )


def _find_backbone(model: BackboneModel) -> MobileBackbone:
    if not isinstance(model.backbone, MobileBackbone):
        raise TypeError(f"a mobile backbone is needed, got that of {model.config.name}")
    return model.backbone


def label_keypoints(batch: Batch | Photos | Mixed) -> Tensor:
    """Return where the joints of `LIMB_ROWS` are, (b, 12, 3).

    Args:
        batch: crops, photos, or both.

    Returns:
        x and y, where the crop spans [-1, 1], and the confidence. Joints of rendered people are
        as exact where they are hidden; those outside the crop have no confidence.
    """
    if isinstance(batch, Mixed):
        return torch.cat([label_keypoints(part) for part in _known(batch.parts)])
    if isinstance(batch, Photos):
        return batch.keypoints[:, _PHOTO_ROWS]
    joints = batch.keypoints[:, list(LIMB_ROWS)]
    middle = joints[:, _HIPS].mean(1, keepdim=True)
    hips = middle + _HIPS_APART * (joints[:, _HIPS] - middle)
    joints = torch.cat((joints[:, : _HIPS.start], hips, joints[:, _HIPS.stop :]), 1)
    inside = (joints.abs() < 1).all(-1, keepdim=True)
    labels: Tensor = torch.cat((joints, inside.to(joints.dtype)), -1)
    return labels


def compare_keypoints(limbs: KeypointMaps, read: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the mean losses by name.

    Args:
        limbs: the maps of the 12 limb joints; (b, 12, s, s) and (b, 12, 2, s, s), y then x.
        read: (b, 12, 3) x, y and visibility as read from them.
        labels: (b, 12, 3) see `label_keypoints`.
    """
    side, sure = limbs.heat.shape[-1], labels[..., 2]
    steps = torch.arange(side, device=labels.device, dtype=labels.dtype)
    across, down = ((labels[..., :2] + 1) * (side / 2)).unbind(-1)  # pixels
    inside = (labels[..., :2].abs() < 1).all(-1)
    nearest_down, nearest_across = (
        (steps - each.round().clamp(0, side - 1)[..., None]).square() for each in (down, across)
    )
    squares = nearest_down[..., :, None] + nearest_across[..., None, :]  # (b, 12, s, s)
    to_keypoint = torch.stack(
        (
            (down[..., None, None] - steps[:, None]).expand_as(squares),
            (across[..., None, None] - steps).expand_as(squares),
        ),
        2,
    )  # (b, 12, 2, s, s)
    from_centre = (steps - (side - 1) / 2).square()
    from_centre = from_centre[:, None] + from_centre
    near = (squares <= _NEAR**2) * (sure * inside)[..., None, None]
    central = (-from_centre / (2 * _CENTRE**2)).exp() * sure[..., None, None]
    apart = torch.linalg.vector_norm(read[..., :2] - labels[..., :2], dim=-1)
    return {
        "peaks": _mean(_focus(limbs.heat, squares), sure * inside),
        "offsets": _mean((limbs.offset - to_keypoint).abs().mean(2), near),
        "reach": _mean((limbs.reach - to_keypoint).abs().mean(2), central),
        "read": _mean(apart.clamp(max=_GROSS), sure),
    }


def _focus(heat: Tensor, squares: Tensor) -> Tensor:
    """Return the focal loss (b, 12) of logits; squares of distances to the peak, both (.., s, s).

    The best possible map has a peak of 1 at the keypoint's pixel; those around it count less.
    """
    target = (-squares / (2 * _PEAK**2)).exp()
    found = heat.sigmoid()
    there = -((1 - found) ** _FOCUS) * F.logsigmoid(heat)
    elsewhere = -((1 - target) ** _FAR_FROM_PEAK) * found**_FOCUS * F.logsigmoid(-heat)
    return torch.where(squares == 0, there, elsewhere).sum((-1, -2))


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)


def _take_limbs(maps: KeypointMaps) -> KeypointMaps:
    """Return the maps of the 12 limb joints; of both coordinates, they are (b, 12, 2, s, s)."""
    heat, centre, reach, offset = maps
    shape = (len(heat), -1, 2, *heat.shape[2:])
    pairs = (each.reshape(shape)[:, FIRST_LIMB:] for each in (reach, offset))
    return KeypointMaps(heat[:, FIRST_LIMB:], centre, *pairs)


def _known(parts: Sequence[Any]) -> list[Batch | Photos]:
    known = [part for part in parts if isinstance(part, Batch | Photos)]
    if len(known) < len(parts):
        raise TypeError("keypoints are learned from crops and photos alone")
    return known
