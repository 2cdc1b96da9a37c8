"""The camera stand as a process, over real topics."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from rclpy.publisher import Publisher
from rclpy.serialization import serialize_message
from tf2_msgs.msg import TFMessage

from smpler_model.array_types import Floats
from smpler_model.cameras.frame_tree import LINK_FROM_OPTICAL, level_camera
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.camera.camera_stand import (
    CameraStand,
    create_static_publisher,
    publish_static,
)
from smpler_ros.messages.convert import header_message, transform_message
from smpler_ros.messages.message_types import message_types_from_ros
from tests.ros.node_process import NodeProcess
from tests.ros.peer import Peer
from tests.ros.test_synthetic_camera import transforms_of

FRAME = "eye_optical"
MOUNTED = np.eye(4)  # a camera's link on a mast
MOUNTED[:3, 3] = 0.1, 0.0, 0.7


class Scene:
    """The stand with a node that has found nobody yet, and other publishers of transforms."""

    def __init__(self, peer: Peer, stand: NodeProcess) -> None:
        self.peer, self.stand = peer, stand
        self._people = peer.node.create_publisher(SmplPersonArray, "people", 1)
        self._static: list[Publisher[TFMessage]] = []
        self._sent: list[Callable[[], None]] = []

    def place(self, parent: str, child: str, pose: Floats) -> None:
        """Publish a static transform, each with a publisher of its own."""
        self._static.append(create_static_publisher(self.peer.node))
        publish_static(self.peer.node, self._static[-1], parent, child, pose)

    def move(self, parent: str, child: str) -> None:
        """Start publishing a transform that changes."""
        types = message_types_from_ros(serialize_message)
        publisher = self.peer.node.create_publisher(TFMessage, "/tf", 10)
        header = header_message(types, 1, parent)
        transform = transform_message(types, header, child, np.eye(4))
        message = types.tf_message(transforms=[transform])
        self._sent.append(lambda: publisher.publish(message))

    def begin(self, frame: str = FRAME) -> None:
        """Start publishing people of images with a frame."""
        message = SmplPersonArray()
        message.header.frame_id = frame
        self._sent.append(lambda: self._people.publish(message))

    def said(self, text: str) -> None:
        """Wait until the stand has logged something; then it has decided."""

        def is_said() -> bool:
            for send in self._sent:
                send()
            return text in self.stand.output

        self.peer.spin_until(is_said)

    def found(self, count: int) -> dict[tuple[str, str], np.ndarray]:
        """Return this number of static transforms."""
        return transforms_of(self.peer, "/tf_static", count)


@pytest.fixture
def scene(reliable_peer: Peer) -> Iterator[Scene]:
    arguments = ("-p", "wait:=0.5", "-p", "height:=1.5", "-p", "pitch:=20")
    with NodeProcess("smpler_ros.camera_stand", *arguments) as stand:
        yield Scene(reliable_peer, stand)
        assert stand.stop()[0] == 0
        assert "Traceback" not in stand.output


def test_a_missing_camera_pose_is_published(scene: Scene) -> None:
    scene.begin("")  # from an image without a frame
    scene.begin()
    scene.said(f"nothing publishes the pose of '{FRAME}': assuming 1.5 m above the floor of 'map'")
    [((parent, child), pose)] = scene.found(1).items()
    assert (parent, child) == ("map", FRAME)
    np.testing.assert_allclose(pose, level_camera(1.5, 20.0), atol=1e-9)


def test_the_topmost_frame_above_the_camera_is_connected(scene: Scene) -> None:
    scene.place("mast", "eye_link", MOUNTED)
    scene.place("eye_link", FRAME, LINK_FROM_OPTICAL)
    scene.move(FRAME, "person_0/pelvis")
    scene.begin()
    scene.said("nothing publishes")
    found = scene.found(3)
    chain = found["map", "mast"] @ found["mast", "eye_link"] @ found["eye_link", FRAME]
    np.testing.assert_allclose(chain, level_camera(1.5, 20.0), atol=1e-9)


def test_poses_published_by_others_are_left_alone(scene: Scene) -> None:
    scene.place("eye_link", FRAME, LINK_FROM_OPTICAL)
    scene.move("map", "eye_link")
    scene.begin()
    scene.said(f"transforms already lead from 'map' to '{FRAME}'")
    assert list(scene.found(1)) == [("eye_link", FRAME)]


def test_a_missing_transform_on_a_robot_is_reported(scene: Scene) -> None:
    scene.place("map", "base_link", MOUNTED)
    scene.begin()
    scene.said(f"there is a frame 'map', but no transform leads from it to '{FRAME}'; publish")
    assert list(scene.found(1)) == [("map", "base_link")]
    scene.place("base_link", FRAME, LINK_FROM_OPTICAL)
    scene.said("already")


def test_later_publishers_of_the_pose_are_reported(scene: Scene) -> None:
    scene.begin()
    scene.said("nothing publishes")
    scene.place("base_link", FRAME, LINK_FROM_OPTICAL)
    scene.said(f"'{FRAME}' is now published below 'base_link' as well")


@pytest.fixture
def stand(default_context: None) -> Iterator[CameraStand]:
    """An active stand in this process."""
    stand = CameraStand()
    assert stand.start()
    yield stand
    stand.destroy_node()


def test_lifecycle_shutdown_releases_everything(stand: CameraStand) -> None:
    stand._begin(FRAME)
    assert "/tf_static" in {each.topic for each in stand.publishers}
    assert list(stand.timers)
    stand.trigger_shutdown()
    assert "/tf_static" not in {each.topic for each in stand.publishers}
    assert not list(stand.timers)
    assert not [each for each in stand.subscriptions if each.topic.startswith("/tf")]


def test_frames_of_people_are_not_kept(stand: CameraStand) -> None:
    types = message_types_from_ros(serialize_message)
    header = header_message(types, 1, FRAME)
    frames = ["eye_imu", *(f"person_{number}/pelvis" for number in range(100))]
    links = [transform_message(types, header, frame, np.eye(4)) for frame in frames]
    stand._add(types.tf_message(transforms=links))
    assert [frame for frame in frames if frame in stand._tree] == ["eye_imu"]
