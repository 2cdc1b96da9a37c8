"""Joint names, trees and orders: SMPL's, Human3.6M's, and those labelled in data sets."""

SMPL_JOINTS = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)
"""The 24 joints of the kinematic chain, in the model's order."""

SMPL_PARENTS = (
    *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
    *(9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
)
"""Parent of each SMPL joint; -1 for the pelvis."""


def other_side(name: str) -> str:
    """Return the name of the joint on the other side of the body: right_knee for left_knee."""
    side, _, part = name.partition("_")
    swapped = {"left": "right", "right": "left"}
    return f"{swapped[side]}_{part}" if side in swapped else name


MIRRORED_JOINTS = tuple(SMPL_JOINTS.index(other_side(name)) for name in SMPL_JOINTS)
"""The joint on the other side of the body, for each SMPL joint."""

SMPL_VERTEX_COUNT = 6890
SMPL_FACE_COUNT = 13776
SMPL_SHAPE_COUNT = 10
SMPL_POSE_DIRECTION_COUNT = 9 * (len(SMPL_JOINTS) - 1)

VERTEX_LANDMARKS = {
    "nose": 332,
    "right_eye": 6260,
    "left_eye": 2800,
    "right_ear": 4071,
    "left_ear": 583,
    "left_big_toe": 3216,
    "left_small_toe": 3226,
    "left_heel": 3387,
    "right_big_toe": 6617,
    "right_small_toe": 6624,
    "right_heel": 6787,
    "left_thumb": 2746,
    "left_index": 2319,
    "left_middle": 2445,
    "left_ring": 2556,
    "left_pinky": 2673,
    "right_thumb": 6191,
    "right_index": 5782,
    "right_middle": 5905,
    "right_ring": 6016,
    "right_pinky": 6133,
}
"""Single vertices of SMPL that represent points without a joint."""

H36M_JOINTS = (
    "pelvis",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "torso",
    "neck",
    "nose",
    "head",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
)
"""Rows of the 17-joint regressors."""

H36M_PELVIS = 0
"""Row of the pelvis in the 17-joint regressors."""

H36M_EVALUATED = (3, 2, 1, 4, 5, 6, 16, 15, 14, 11, 12, 13, 8, 10)
"""The 14 evaluated joints, as rows of the 17-joint regressors."""

LABELLED_JOINTS = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "top_of_head",
    "pelvis",
    "thorax",
    "spine",
    "jaw",
    "head",
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
)
"""The 24 joints labelled in the released data sets."""

LABELLED_EVALUATED = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 18)
"""The 14 evaluated joints among the labelled 24, in the order of `H36M_EVALUATED`."""
