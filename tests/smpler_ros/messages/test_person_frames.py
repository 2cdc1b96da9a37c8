"""Frames of sure joints, and footprints."""

from dataclasses import replace

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from smpler_model.bags.person_frames import is_person_frame
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.frames import FrameResult
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.convert import (
    header_message,
    person_transforms,
    transforms_message,
)
from tests.random_people import random_people, random_result

STORE = get_typestore(Stores.ROS2_JAZZY)
register_smpler_msgs(STORE)
TYPES = message_types_from_rosbags(STORE)
HEADER = header_message(TYPES, 5, "camera")
LEFT_ARM = ("left_collar", "left_shoulder", "left_elbow", "left_wrist", "left_hand")


def test_unsure_joints_are_left_out_unless_a_sure_one_hangs_from_them() -> None:
    confidences = np.ones((2, 24))
    arm = [SMPL_JOINTS.index(name) for name in LEFT_ARM]
    confidences[0, arm] = 0.2, 0.2, 0.9, 0.2, 0.2
    confidences[1] = 0.2
    confidences[1, 3] = np.nan  # unknown
    people = replace(random_people(2), joint_confidences=confidences)
    message = transforms_message(TYPES, HEADER, people, least_confidence=0.5)
    names = {each.child_frame_id for each in message.transforms}
    first = {f"person_100/{name}" for name in SMPL_JOINTS} - {
        "person_100/left_wrist",
        "person_100/left_hand",
    }
    assert names == first | {"person_107/pelvis", "person_107/spine1"}
    parents = {each.header.frame_id for each in message.transforms} - {"camera"}
    assert parents <= names


def test_without_confidences_or_a_limit_all_joints_are_there() -> None:
    for people in (random_people(2), random_people(2, has_details=True)):
        least = 0.5 if people.joint_confidences is None else 0.0
        message = transforms_message(TYPES, HEADER, people, least_confidence=least)
        assert len(message.transforms) == 48


@pytest.mark.parametrize("has_pose", [False, True])
def test_footprints_lie_on_the_floor_and_face_ahead(has_pose: bool) -> None:
    result: FrameResult = random_result(3, has_details=True)
    assert result.pose is not None
    assert result.people.footprints_m is not None
    result.people.footprints_m[1] = np.nan
    fixed_from_camera = result.pose.fixed_from_camera
    if not has_pose:
        result = replace(result, pose=None)
    message = person_transforms(TYPES, HEADER, result, "robot/")
    found = {
        each.child_frame_id: each
        for each in message.transforms
        if each.child_frame_id.endswith("footprint")
    }
    assert list(found) == ["robot/person_100/footprint", "robot/person_114/footprint"]
    assert all(map(is_person_frame, found))
    for row, each in zip((0, 2), found.values(), strict=True):
        assert each.header.frame_id == ("map" if has_pose else "camera")
        parent = fixed_from_camera if has_pose else np.eye(4)
        place, turn = each.transform.translation, each.transform.rotation
        footprint = result.people.footprints_m[row]
        np.testing.assert_allclose(
            [place.x, place.y, place.z], parent[:3, :3] @ footprint + parent[:3, 3]
        )
        axes = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
        up = parent[:3, :3] @ fixed_from_camera[2, :3]
        np.testing.assert_allclose(axes[:, 2], up, atol=1e-9)
        ahead = parent[:3, :3] @ result.people.rotations[row, 0, :, 2]
        assert axes[:, 0] @ ahead > 0
        np.testing.assert_allclose(axes[:, 1] @ ahead, 0, atol=1e-9)
    unknown = replace(result, floor=None)
    assert len(person_transforms(TYPES, HEADER, unknown).transforms) == 72
