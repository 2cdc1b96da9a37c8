"""Fused people are combined with the last image of each camera."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.cameras.messages import Message
from smpler_model.frames import CameraPose, FrameResult, People
from smpler_model.people.common_frame import move_people
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.convert import header_message, person_array_message, transform_message
from smpler_ros.messages.images import camera_info_message, image_message
from smpler_ros.messages.message_types import MessageTypes
from smpler_ros.viewer.live_fused import LiveFusedMoments
from tests.smpler_model.viewing.conftest import CAMERA, posed_people

POSES = {"left": level_camera(1.2, 0.0), "right": level_camera(0.8, 5.0)}
STEP_NS = 100_000_000
BEGIN_NS = 5_000_000_000


class Sender:
    """Adds the messages of two cameras."""

    def __init__(self) -> None:
        store = get_typestore(Stores.ROS2_HUMBLE)
        register_smpler_msgs(store)
        self.types: MessageTypes = message_types_from_rosbags(store)
        self.moments = LiveFusedMoments(tuple(POSES))
        for name in POSES:
            info = camera_info_message(self.types, self.header(0, name), CAMERA)
            self.moments.add_info(name, info)

    def header(self, stamp_ns: int, name: str) -> Message:
        return header_message(self.types, BEGIN_NS + stamp_ns, name)

    def place(self, name: str, stamp_ns: int, *, is_static: bool) -> None:
        header = header_message(self.types, BEGIN_NS + stamp_ns, "map")
        transform = transform_message(self.types, header, name, POSES[name])
        self.moments.add_transforms(
            self.types.tf_message(transforms=[transform]), is_static=is_static
        )

    def show(self, name: str, stamp_ns: int, grey: int) -> None:
        rgb = np.full((CAMERA.height, CAMERA.width, 3), grey, np.uint8)
        self.moments.add_image(name, image_message(self.types, self.header(stamp_ns, name), rgb))

    def people(self, stamp_ns: int, frame: str, people: People) -> Message:
        pose = CameraPose("map", np.eye(4)) if frame == "map" else None
        result = FrameResult(BEGIN_NS + stamp_ns, frame, CAMERA, people, pose=pose)
        header = self.header(stamp_ns, frame)
        return person_array_message(self.types, header, "", result, vertices=False)


@pytest.fixture(scope="module")
def people() -> People:
    return posed_people(Body(load_builtin_body()).eval(), 2)


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_a_moment_has_the_last_image_of_each_camera_at_its_pose(
    sender: Sender, people: People
) -> None:
    sender.place("left", 0, is_static=True)
    for stamp_ns in (0, 2 * STEP_NS):
        sender.place("right", stamp_ns, is_static=False)
    for name, stamp_ns, grey in (("left", 0, 10), ("right", 7, 20), ("left", STEP_NS, 30)):
        sender.show(name, stamp_ns, grey)
    fused = move_people(people, POSES["left"])
    first = sender.moments.add_people(sender.people(7, "map", fused))
    assert [shot.name for shot in first.shots] == ["left", "right"]
    for shot, grey in zip(first.shots, (10, 20), strict=True):
        assert shot.camera == CAMERA
        np.testing.assert_allclose(shot.world_from_camera, POSES[shot.name], atol=1e-9)
        assert shot.rgb is not None
        assert (shot.rgb == grey).all()
    np.testing.assert_array_equal(first.world_from_camera, np.eye(4))
    np.testing.assert_allclose(first.people.joints_m, fused.joints_m, atol=1e-5)
    later = partial(sender.people, frame="map", people=fused)
    second = sender.moments.add_people(later(STEP_NS + 7))  # nothing new of the right one
    assert [int(shot.rgb[0, 0, 0]) for shot in second.shots if shot.rgb is not None] == [30, 20]
    # Cameras that stopped long ago show nothing any more.
    assert sender.moments.add_people(later(20 * STEP_NS)).shots == ()


def test_a_camera_without_a_pose_is_left_out_until_transforms_come(
    sender: Sender, people: People
) -> None:
    sender.place("left", 0, is_static=True)
    for stamp_ns in (0, STEP_NS):
        for name in POSES:
            sender.show(name, stamp_ns, 50)
        message = sender.people(stamp_ns, "map", people)
        moment = sender.moments.add_people(message)
        known = ["left"] if stamp_ns == 0 else ["left", "right"]
        assert [shot.name for shot in moment.shots] == known
        assert sender.moments.lacks_transforms(message) == (stamp_ns == 0)
        sender.place("right", STEP_NS, is_static=False)


def test_true_people_of_all_cameras_are_there_once(sender: Sender, people: People) -> None:
    for name in POSES:
        sender.place(name, 0, is_static=True)
        sender.show(name, 0, 50)
    world = move_people(people, POSES["left"])
    seen = {
        name: replace(move_people(world, np.linalg.inv(pose)), vertices_m=None)
        for name, pose in POSES.items()
    }
    for name, truth in seen.items():
        sender.moments.add_truth(name, sender.people(0, name, truth))
    moment = sender.moments.add_people(sender.people(0, "map", world))
    assert moment.truth is not None
    assert moment.truth.ids.tolist() == people.ids.tolist()
    np.testing.assert_allclose(moment.truth.joints_m, world.joints_m, atol=1e-5)
