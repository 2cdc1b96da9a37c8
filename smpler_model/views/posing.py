"""Poses the few bodies of a moment.

PyTorch would share their matrices among threads, which takes longer than multiplying them, and its
threads go on waiting for work, at full load, while the views are fused.
"""

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_PARENTS
from smpler_model.body.smpl import Body
from smpler_model.people.bones import chain

_PARENTS = np.array(SMPL_PARENTS)
_IS_PARENT = np.arange(len(_PARENTS)) == _PARENTS[:, None]
_HANGS_FROM = np.linalg.inv(np.eye(len(_PARENTS)) - _IS_PARENT)
"""(24, 24) 1 where the first joint hangs from the second, or is it."""


class BodyJoints:
    """The joints of a body in any pose and shape, as `Estimator.joints` returns them."""

    def __init__(self, body: Body) -> None:
        """Take the joints of the resting body, which are linear in its shape."""
        self._rest_m = body.rest_joints.double().cpu().numpy()  # (24, 3)
        self._slopes_m = body.rest_joint_directions.double().cpu().numpy()  # (24, 3, 10)

    def __call__(self, rotations: Floats, betas: Floats) -> Floats:
        """(n, 24, 3, 3) and (n, 10) -> (n, 24, 3) joints before translation, metres."""
        rest = self._rest_m + np.tensordot(betas, self._slopes_m, (1, 2))
        offsets = rest - rest[:, _PARENTS]
        bones = chain(rotations)[:, _PARENTS]
        carried = (bones @ offsets[..., None])[..., 0]
        carried[:, 0] = rest[:, 0]
        return np.asarray(_HANGS_FROM @ carried)
