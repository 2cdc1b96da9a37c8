"""Messages with the same timestamp are combined."""

from dataclasses import replace

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.frame_reader import ImageSettings
from smpler_model.cameras.messages import NS_PER_S, Message
from smpler_model.frames import FrameResult, People
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.convert import (
    header_message,
    person_array_message,
    transform_message,
)
from smpler_ros.messages.images import camera_info_message, image_message
from smpler_ros.messages.message_types import MessageTypes
from smpler_ros.viewer.live_moments import LiveMoments, Waiting
from tests.smpler_model.viewing.conftest import CAMERA, posed_people


@pytest.fixture(scope="module")
def types() -> MessageTypes:
    store = get_typestore(Stores.ROS2_HUMBLE)
    register_smpler_msgs(store)
    return message_types_from_rosbags(store)


@pytest.fixture(scope="module")
def people() -> People:
    return posed_people(Body(load_builtin_body()).eval(), 2)


def people_message(types: MessageTypes, stamp_ns: int, people: People) -> Message:
    header = header_message(types, stamp_ns, "camera")
    result = FrameResult(stamp_ns, "camera", CAMERA, people)
    return person_array_message(types, header, "", result, vertices=False)


def test_people_get_the_image_and_truth_with_their_stamp(
    types: MessageTypes, people: People
) -> None:
    moments = LiveMoments(1.2, 0.0)
    for stamp_ns in (1, 2, 3):
        there = replace(people, joints_m=people.joints_m + stamp_ns)
        moments.add_truth(people_message(types, stamp_ns, there))
        pixels = np.full((48, 64, 3), 10 * stamp_ns, np.uint8)
        moments.add_image(image_message(types, header_message(types, stamp_ns, "camera"), pixels))
    moment = moments.add_people(people_message(types, 2, people))
    assert moment.truth is not None
    assert moment.rgb is not None
    np.testing.assert_allclose(moment.people.joints_m, people.joints_m, atol=1e-5)
    np.testing.assert_allclose(moment.truth.joints_m, people.joints_m + 2, atol=1e-5)
    assert (moment.rgb == 20).all()
    # What is older than people who were shown is dropped; what comes after them waits.
    old, new = (moments.add_people(people_message(types, stamp, people)) for stamp in (1, 3))
    assert (old.truth, old.rgb) == (None, None)
    assert new.truth is not None
    assert new.rgb is not None


def test_unmatched_messages_do_not_pile_up(types: MessageTypes, people: People) -> None:
    moments = LiveMoments(1.2, 0.0)
    step_ns = NS_PER_S // 10
    for step in range(100):
        moments.add_truth(people_message(types, step * step_ns, people))
    for step, is_there in ((48, False), (49, True), (99, True)):
        moment = moments.add_people(people_message(types, step * step_ns, people))
        assert (moment.truth is not None) == is_there


def test_of_large_images_fewer_wait(types: MessageTypes) -> None:
    waiting = Waiting()
    for stamp_ns in (1, 2, 3):
        header = header_message(types, stamp_ns, "camera")
        waiting.add(types.image(header=header, data=np.zeros(100_000_000, np.uint8)))
    taken = [waiting.take(stamp_ns) is not None for stamp_ns in (1, 2, 3)]
    assert taken == [False, True, True]


def test_after_a_clock_reset_earlier_images_do_not_wait(types: MessageTypes) -> None:
    waiting = Waiting()
    for stamp_ns in (100 * NS_PER_S, NS_PER_S):
        waiting.add(types.image(header=header_message(types, stamp_ns, "camera")))
    assert waiting.take_newest(NS_PER_S) is not None
    assert waiting.take(100 * NS_PER_S) is None


def test_people_who_come_a_second_later_get_their_image(
    types: MessageTypes, people: People
) -> None:
    moments = LiveMoments(1.2, 0.0)
    pixels = np.full((48, 64, 3), 10, np.uint8)
    stamps_ns = [index * NS_PER_S // 30 for index in range(40)]
    for stamp_ns in stamps_ns:
        moments.add_image(image_message(types, header_message(types, stamp_ns, "camera"), pixels))
    assert moments.add_people(people_message(types, stamps_ns[0], people)).rgb is not None


def test_a_calibration_without_a_size_is_left_out(types: MessageTypes, people: People) -> None:
    moments = LiveMoments(1.2, 0.0)
    info = camera_info_message(types, header_message(types, 1, "camera"), CAMERA)
    info.width = info.height = 0
    moments.add_info(info)
    moment = moments.add_people(people_message(types, 1, people))
    assert moment.camera is not None
    assert not moment.camera.calibrated


def test_transforms_are_missing_until_one_leads_to_the_fixed_frame(
    types: MessageTypes, people: People
) -> None:
    """A root whose z is up from the floor moves with its robot."""
    moments = LiveMoments(1.2, 0.0)
    message = people_message(types, 1, people)

    def lacks_after(parent: str, child: str) -> bool:
        link = transform_message(types, header_message(types, 1, parent), child, np.eye(4))
        moments.add_transforms(types.tf_message(transforms=[link]), is_static=True)
        return moments.lacks_transforms(message)

    assert not lacks_after("base_footprint", "camera")
    message.fixed_frame = "odom"
    assert moments.lacks_transforms(message)
    assert not lacks_after("odom", "base_footprint")


def test_images_and_poses_are_read_as_by_the_node(types: MessageTypes, people: People) -> None:
    """The byte order of yuv422, and a fixed frame with a name of its own."""
    moments = LiveMoments(1.2, 0.0, ImageSettings(yuv422="yuyv"))
    grey = np.tile(np.array([200, 128], np.uint8), (48, 64))
    header = header_message(types, 1, "camera")
    image = types.image(
        header=header, height=48, width=64, encoding="yuv422", step=128, data=grey.ravel()
    )
    moments.add_image(image)
    link = transform_message(types, header_message(types, 1, "robot/odom"), "camera", np.eye(4))
    body = transform_message(types, header, "body_p7", np.eye(4))
    moments.add_transforms(types.tf_message(transforms=[link, body]), is_static=False)
    message = people_message(types, 1, people)
    assert moments.lacks_transforms(message)
    message.fixed_frame = "robot/odom"
    assert not moments.lacks_transforms(message)
    moment = moments.add_people(message)
    np.testing.assert_array_equal(moment.world_from_camera, np.eye(4))
    assert moment.rgb is not None
    assert np.ptp(moment.rgb) <= 1  # grey; in the other byte order it would be green
