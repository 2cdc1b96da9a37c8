"""Messages from results, with the classes of rosbags; tests/ros uses those of rclpy."""

from dataclasses import fields

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from smpler_model.bags.people_topics import people_from_message
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from smpler_model.cameras.messages import Message
from smpler_model.frames import People, WorldMotion
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.convert import (
    camera_from_joint,
    header_message,
    person_array_message,
    transforms_message,
)
from smpler_ros.messages.message_types import MessageTypes
from tests.random_people import chain_positions, random_people, random_result

STORE = get_typestore(Stores.ROS2_JAZZY)
register_smpler_msgs(STORE)


@pytest.fixture(scope="module")
def types() -> MessageTypes:
    return message_types_from_rosbags(STORE)


@pytest.fixture(scope="module")
def header(types: MessageTypes) -> Message:
    return header_message(types, 17_000_000_005, "camera")


def assert_same_people(got: People, expected: People, tolerance: float) -> None:
    """Compare every field, and those of the motion."""
    for field in fields(People):
        ours, theirs = getattr(got, field.name), getattr(expected, field.name)
        if theirs is None:
            assert ours is None
        elif isinstance(theirs, WorldMotion):
            for name, values in vars(theirs).items():
                np.testing.assert_allclose(
                    getattr(ours, name), values, atol=tolerance, err_msg=name
                )
        else:
            assert ours.dtype == theirs.dtype, field.name
            assert ours.shape == theirs.shape, field.name
            np.testing.assert_allclose(ours, theirs, atol=tolerance, err_msg=field.name)


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("vertices", [0, 6890])
@pytest.mark.parametrize("has_details", [False, True])
def test_people_survive_conversion(
    types: MessageTypes, header: Message, n: int, vertices: int, has_details: bool
) -> None:
    result = random_result(n, vertices=vertices, has_details=has_details)
    message = person_array_message(types, header, "nano", result, vertices=vertices > 0)
    raw = types.serialize(message)
    read = STORE.deserialize_cdr(raw, "smpler_msgs/msg/SmplPersonArray")
    expected = result.people if n else random_people(0)
    assert_same_people(people_from_message(read), expected, 2e-5)
    assert (read.header.stamp.sec, read.header.stamp.nanosec) == (17, 5)
    assert (read.header.frame_id, read.model) == ("camera", "nano")
    assert read.fixed_frame == ("map" if has_details else "")
    np.testing.assert_array_equal(
        read.floor, np.full(4, np.nan) if result.floor is None else result.floor
    )


def test_fields_of_a_person(types: MessageTypes, header: Message) -> None:
    result = random_result(2)
    person = person_array_message(types, header, "", result, vertices=False).people[1]
    people = result.people
    assert (person.id, person.tracking_state) == (107, people.states[1])
    assert person.translation_source == people.sources[1]
    turned = Rotation.from_rotvec(person.pose.reshape(24, 3)).as_matrix()
    np.testing.assert_allclose(turned, people.rotations[1], atol=1e-6)
    np.testing.assert_array_equal(person.translation, people.translations_m[1])
    np.testing.assert_array_equal(
        person.translation_covariance.reshape(3, 3), people.covariances_m2[1]
    )
    np.testing.assert_allclose(person.joints.reshape(24, 3), people.joints_m[1], rtol=1e-6)
    assert person.vertices.size == 0


def test_meshes_are_included_only_on_request(types: MessageTypes, header: Message) -> None:
    with_mesh = random_result(1, vertices=5)
    message = person_array_message(types, header, "", with_mesh, vertices=False)
    assert message.people[0].vertices.size == 0
    with pytest.raises(ValueError, match="must have meshes to publish them, got none"):
        person_array_message(types, header, "", random_result(1), vertices=True)


def test_keypoints_behind_the_camera_stay_nan(types: MessageTypes, header: Message) -> None:
    result = random_result(1)
    result.people.keypoints_px[0, 3] = np.nan
    message = person_array_message(types, header, "", result, vertices=False)
    keypoints = people_from_message(message).keypoints_px
    assert np.isnan(keypoints[0, 3]).all()
    assert np.isfinite(keypoints[0, 4]).all()


def test_rotations_along_the_chain() -> None:
    rotations = random_people(2).rotations
    expected = np.empty_like(rotations)
    for joint, parent in enumerate(SMPL_PARENTS):
        above = np.eye(3) if parent < 0 else expected[:, parent]
        expected[:, joint] = above @ rotations[:, joint]
    np.testing.assert_allclose(camera_from_joint(rotations), expected, atol=1e-12)


def test_transforms_form_smpl_s_tree_and_give_the_joints(
    types: MessageTypes, header: Message
) -> None:
    people = random_people(3)
    message = transforms_message(types, header, people, "robot/")
    assert len(message.transforms) == 3 * 24
    frames = {}
    for transform in message.transforms:
        assert transform.header.stamp == header.stamp
        t, q = transform.transform.translation, transform.transform.rotation
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
        matrix[:3, 3] = t.x, t.y, t.z
        frames[transform.child_frame_id] = (transform.header.frame_id, matrix)
    assert len(frames) == 3 * 24
    chain = camera_from_joint(people.rotations)
    for row, id_ in enumerate(people.ids):
        for joint, name in enumerate(SMPL_JOINTS):
            frame = f"robot/person_{id_}/{name}"
            parent = SMPL_PARENTS[joint]
            above = "camera" if parent < 0 else f"robot/person_{id_}/{SMPL_JOINTS[parent]}"
            assert frames[frame][0] == above
            camera_from_frame = chain_positions(frames, frame, "camera")
            np.testing.assert_allclose(
                camera_from_frame[:3, 3], people.joints_m[row, joint], atol=1e-9
            )
            np.testing.assert_allclose(camera_from_frame[:3, :3], chain[row, joint], atol=1e-9)


def test_no_people_give_no_transforms(types: MessageTypes, header: Message) -> None:
    assert transforms_message(types, header, random_people(0)).transforms == []


@pytest.mark.parametrize("stamp_ns", [0, 999_999_999, 1_000_000_000, 1_753_000_000_123_456_789])
def test_stamps(types: MessageTypes, stamp_ns: int) -> None:
    stamp = header_message(types, stamp_ns, "").stamp
    assert stamp.sec * 10**9 + stamp.nanosec == stamp_ns
    assert 0 <= stamp.nanosec < 10**9
