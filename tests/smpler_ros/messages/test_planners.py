"""Poses, boxes and velocities for planners, with the classes of rosbags."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from smpler_model.cameras.messages import Message
from smpler_model.frames import FrameResult, People
from smpler_model.people.world_filter import facings
from smpler_ros.messages.bag_types import (
    bag_constructor,
    message_types_from_rosbags,
    register_smpler_msgs,
)
from smpler_ros.messages.message_types import import_message_class
from smpler_ros.messages.planners import (
    PlacedPeople,
    box_types,
    boxes_message,
    people_message,
    people_types,
    place_people,
    poses_message,
)
from tests.random_people import random_result

# The fields of people_msgs 1.x and vision_msgs 4.x.
DEFINITIONS = {
    "people_msgs/msg/Person": (
        "string name\ngeometry_msgs/Point position\ngeometry_msgs/Point velocity\n"
        "float64 reliability\nstring[] tagnames\nstring[] tags"
    ),
    "people_msgs/msg/People": "std_msgs/Header header\npeople_msgs/Person[] people",
    "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score",
    "vision_msgs/msg/ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose"
    ),
    "vision_msgs/msg/BoundingBox3D": "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size",
    "vision_msgs/msg/Detection3D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox3D bbox\nstring id"
    ),
    "vision_msgs/msg/Detection3DArray": (
        "std_msgs/Header header\nvision_msgs/Detection3D[] detections"
    ),
}
STORE = get_typestore(Stores.ROS2_JAZZY)
register_smpler_msgs(STORE)
for _name, _text in DEFINITIONS.items():
    if _name not in STORE.types:
        STORE.register(get_types_from_msg(_text, _name))
TYPES = message_types_from_rosbags(STORE)
FIND = partial(bag_constructor, STORE)
STAMP_NS = 17_000_000_005


def there_and_back(message: Message) -> Message:
    return STORE.deserialize_cdr(TYPES.serialize(message), message.__msgtype__)


def standing(result: FrameResult) -> FrameResult:
    """Let positions and facings of random people agree with their bodies."""
    pose, motion = result.pose, result.people.motion
    assert pose is not None
    assert motion is not None
    turn, place = pose.fixed_from_camera[:3, :3], pose.fixed_from_camera[:3, 3]
    agreeing = replace(
        motion,
        positions_m=result.people.joints_m[:, 0] @ turn.T + place,
        facings_rad=facings(turn @ result.people.rotations[:, 0]),
    )
    return replace(result, people=replace(result.people, motion=agreeing))


def place_of(point: Message) -> list[float]:
    return [point.x, point.y, point.z]


def turn_of(quaternion: Message) -> np.ndarray:
    numbers = [quaternion.x, quaternion.y, quaternion.z, quaternion.w]
    return Rotation.from_quat(numbers).as_matrix()


@pytest.mark.parametrize("n", [0, 1, 4])
def test_poses_stand_upright_in_the_fixed_frame(n: int) -> None:
    result = standing(random_result(n, has_details=True))
    placed = place_people(result)
    message = there_and_back(
        poses_message(TYPES, STAMP_NS, placed, FIND("geometry_msgs/msg/PoseArray"))
    )
    motion = result.people.motion
    assert motion is not None
    assert (message.header.frame_id, message.header.stamp.nanosec) == ("map", 5)
    assert len(message.poses) == n
    for row, pose in enumerate(message.poses):
        np.testing.assert_allclose(place_of(pose.position), motion.positions_m[row])
        turn = turn_of(pose.orientation)
        np.testing.assert_allclose(turn[:, 2], [0, 0, 1], atol=1e-9)
        yaw = motion.facings_rad[row]
        if np.isfinite(yaw):
            np.testing.assert_allclose(turn[:2, 0], [np.cos(yaw), np.sin(yaw)], atol=1e-9)


def corners_contain(box: Message, points: np.ndarray) -> bool:
    local = (points - place_of(box.center.position)) @ turn_of(box.center.orientation)
    return bool((np.abs(local) <= np.array(place_of(box.size)) / 2 + 1e-9).all())


@pytest.mark.parametrize("has_details", [False, True])
def test_boxes_contain_the_joints(has_details: bool) -> None:
    result = random_result(3, has_details=has_details)
    result = standing(result) if has_details else result
    placed: PlacedPeople = place_people(result)
    boxes = box_types(FIND)
    people: People = result.people
    message = there_and_back(boxes_message(TYPES, boxes, STAMP_NS, placed, people))
    assert message.header.frame_id == ("map" if has_details else "camera")
    pose = np.eye(4) if result.pose is None else result.pose.fixed_from_camera
    for row, detection in enumerate(message.detections):
        joints = people.joints_m[row] @ pose[:3, :3].T + pose[:3, 3]
        assert corners_contain(detection.bbox, joints)
        smaller = replace(placed, sizes_m=0.7 * placed.sizes_m)
        small = boxes_message(TYPES, boxes, STAMP_NS, smaller, people).detections[row]
        assert not corners_contain(small.bbox, joints)
        (best,) = detection.results
        assert (detection.id, best.hypothesis.class_id) == (str(people.ids[row]), "person")
        assert best.hypothesis.score == people.scores[row]
        covariance = np.reshape(best.pose.covariance, (6, 6))
        np.testing.assert_array_equal(covariance[:3, :3], placed.covariances_m2[row])
        assert not covariance[3:].any()


def test_velocities() -> None:
    result = random_result(2, has_details=True)
    people, motion = result.people, result.people.motion
    assert motion is not None
    message = there_and_back(
        people_message(TYPES, people_types(FIND), STAMP_NS, place_people(result), people, motion)
    )
    for row, person in enumerate(message.people):
        assert person.name == str(people.ids[row])
        np.testing.assert_array_equal(place_of(person.position), motion.positions_m[row])
        np.testing.assert_array_equal(place_of(person.velocity), motion.velocities_m_s[row])
        assert person.reliability == people.scores[row]


def test_a_missing_message_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="has no message Nobody"):
        import_message_class("std_msgs/msg/Nobody")
    with pytest.raises(ImportError, match="no_such_people_msgs"):
        people_types(lambda name: import_message_class(f"no_such_{name}"))
