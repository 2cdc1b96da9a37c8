import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.people.bones import chain, unchain


@given(seed=st.integers(0, 2**31))
def test_chains_are_undone(seed: int) -> None:
    rotations = Rotation.random(48, random_state=seed).as_matrix().reshape(2, 24, 3, 3)
    np.testing.assert_allclose(unchain(chain(rotations)), rotations, atol=1e-9)


def test_a_bent_elbow_turns_the_hand() -> None:
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))
    bend = Rotation.from_rotvec([0, 1.0, 0]).as_matrix()
    rotations[0, SMPL_JOINTS.index("left_elbow")] = bend
    bones = chain(rotations)[0]
    np.testing.assert_allclose(bones[SMPL_JOINTS.index("left_hand")], bend)
    np.testing.assert_array_equal(bones[SMPL_JOINTS.index("left_shoulder")], np.eye(3))
