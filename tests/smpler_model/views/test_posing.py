"""Bodies posed without PyTorch's threads."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.views.posing import BodyJoints


@pytest.mark.parametrize("n", [0, 1, 20])
def test_joints_are_those_of_the_body(n: int) -> None:
    body = Body(load_builtin_body()).eval()
    turns = Rotation.random(24 * n, random_state=n).as_matrix() if n else np.empty(0)
    rotations = turns.reshape(n, 24, 3, 3)
    betas = 2 * np.random.default_rng(n).normal(size=(n, 10))
    with torch.inference_mode():
        expected = body.joints(
            torch.from_numpy(rotations).float(), torch.from_numpy(betas).float()
        )
    np.testing.assert_allclose(BodyJoints(body)(rotations, betas), expected, atol=2e-6)
