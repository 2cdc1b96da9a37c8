"""Bodies posed without PyTorch, in float64: the built-in body's joints, and people from them."""

from functools import cache

import numpy as np

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import SMPL_PARENTS


@cache
def rest_joints() -> tuple[np.ndarray, np.ndarray]:
    """Return the resting joints (24, 3) of the average body, and their changes (24, 3, 10)."""
    body = load_builtin_body()
    regressor = body.J_regressor.astype(np.float64)
    return regressor @ body.v_template, np.einsum("jv,vcs->jcs", regressor, body.shapedirs)


def pose_joints(rotations: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """(n, 24, 3, 3) and (n, 10) -> (n, 24, 3) joints, as `Estimator.joints`."""
    average, changes = rest_joints()
    rest = average + np.einsum("jcs,ns->njc", changes, betas)
    joints, bones = rest.copy(), rotations.copy()
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        offset = (bones[:, parent] @ (rest[:, joint] - rest[:, parent])[..., None])[..., 0]
        joints[:, joint] = joints[:, parent] + offset
        bones[:, joint] = bones[:, parent] @ rotations[:, joint]
    return joints
