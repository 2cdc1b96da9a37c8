"""The viewer over live topics: a client of its page receives the published people."""

import re
import socket
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import CameraPose, FrameResult
from smpler_model.people.common_frame import move_people
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.messages.convert import header_message, person_array_message, transform_message
from smpler_ros.messages.images import camera_info_message, image_message
from smpler_ros.messages.message_types import message_types_from_ros
from smpler_ros.viewer.viewer_node import Viewer
from tests.ros.node_process import NodeProcess
from tests.ros.peer import Peer
from tests.smpler_model.viewing.conftest import CAMERA, posed_people

pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")

from tests.smpler_model.viewing.watcher import Watcher

ROOT = Path(__file__).parents[2]
STAMP_NS = 5_000_000_007


def test_people_are_shown_with_subscriptions_only_while_watched(reliable_peer: Peer) -> None:
    peer = reliable_peer
    publisher = peer.node.create_publisher(SmplPersonArray, "people", QoSProfile(depth=1))
    own = 1  # the peer subscribes to people, too
    people = posed_people(Body(load_builtin_body()), 2)
    types = message_types_from_ros(serialize_message)
    header = header_message(types, STAMP_NS, "camera")
    result = FrameResult(STAMP_NS, "camera", CAMERA, people)
    with NodeProcess("smpler_ros.viewer", "-p", "port:=0", "-p", "camera_height:=1.5") as node:
        node.wait_for("people are shown at")
        found = re.search(r"http://localhost:\d+", node.output)
        assert found
        peer.spin_until(lambda: publisher.get_subscription_count() == own)
        assert peer.images.get_subscription_count() == 0
        watcher = Watcher(found[0])
        peer.spin_until(lambda: publisher.get_subscription_count() == own + 1)
        peer.spin_until(lambda: peer.images.get_subscription_count() == 1)
        image = image_message(types, header, np.full((480, 640, 3), 90, np.uint8))

        def publish_until_shown() -> bool:
            # Repeatedly, as a node does: a subscription that turns reliable can miss a message.
            peer.camera_infos.publish(camera_info_message(types, header, CAMERA))
            peer.images.publish(image)
            publisher.publish(person_array_message(types, header, "", result, vertices=False))
            return len(watcher.surfaces()) == 2

        watcher.wait(publish_until_shown, timeout_s=60)
        watcher.take(1.0)
        assert people.vertices_m is not None
        for row, name in enumerate(watcher.surfaces()):
            shown = watcher.surface(name)
            np.testing.assert_allclose(shown, people.vertices_m[row], atol=1e-3)
        assert watcher.nodes["/camera/view"]["aspect"] == pytest.approx(640 / 480)
        assert watcher.places["/camera"]["position"][2] == pytest.approx(1.5)
        watcher.close()
        peer.spin_until(lambda: publisher.get_subscription_count() == own)
        status, output, _ = node.stop()
        assert (status, "Traceback" in output) == (0, False), output


def test_fused_people_are_shown_with_the_cameras_that_see_them(reliable_peer: Peer) -> None:
    """One camera is still, the other moves: its transforms are subscribed when it is missed."""
    peer, node = reliable_peer, reliable_peer.node
    types = message_types_from_ros(serialize_message)
    people = move_people(posed_people(Body(load_builtin_body()), 1), level_camera(1.2, 0.0))
    poses = {"left": level_camera(1.2, 0.0), "right": level_camera(0.7, 5.0)}
    fused = node.create_publisher(SmplPersonArray, "fused/people", 1)
    images = {name: node.create_publisher(Image, f"{name}/image", 1) for name in poses}
    infos = {name: node.create_publisher(CameraInfo, f"{name}/camera_info", 1) for name in poses}
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    static = node.create_publisher(TFMessage, "/tf_static", latched)
    moving = node.create_publisher(TFMessage, "/tf", 100)
    in_map = header_message(types, STAMP_NS, "map")
    placed = {
        name: types.tf_message(transforms=[transform_message(types, in_map, name, pose)])
        for name, pose in poses.items()
    }
    static.publish(placed["left"])
    result = FrameResult(STAMP_NS, "map", CAMERA, people, pose=CameraPose("map", np.eye(4)))
    message = person_array_message(types, in_map, "", result, vertices=False)
    with NodeProcess("smpler_ros.viewer", "-p", "port:=0", "-p", "cameras:=[left,right]") as view:
        view.wait_for("people are shown at")
        found = re.search(r"http://localhost:\d+", view.output)
        assert found
        watcher = Watcher(found[0])
        peer.spin_until(lambda: fused.get_subscription_count() == 1)

        def publish_until(name: str) -> None:
            def is_shown() -> bool:
                for camera in poses:
                    header = header_message(types, STAMP_NS, camera)
                    infos[camera].publish(camera_info_message(types, header, CAMERA))
                    rgb = np.full((480, 640, 3), 90, np.uint8)
                    images[camera].publish(image_message(types, header, rgb))
                if moving.get_subscription_count():
                    moving.publish(placed["right"])
                fused.publish(message)
                return f"/cameras/{name}/view" in watcher.nodes

            watcher.wait(is_shown, timeout_s=60)

        publish_until("left")
        publish_until("right")
        watcher.take(1.0)
        for name, pose in poses.items():
            np.testing.assert_allclose(
                watcher.places[f"/cameras/{name}"]["position"], pose[:3, 3], atol=1e-6
            )
        assert people.vertices_m is not None
        [surface] = watcher.surfaces()
        np.testing.assert_allclose(watcher.surface(surface), people.vertices_m[0], atol=1e-3)
        watcher.close()
        peer.spin_until(lambda: fused.get_subscription_count() == 0)
        status, output, _ = view.stop()
        assert (status, "Traceback" in output) == (0, False), output


def test_the_node_s_parameter_file_and_compressed_images_are_accepted(reliable_peer: Peer) -> None:
    arguments = ("--params-file", str(ROOT / "config" / "camera.yaml"), "-p", "port:=0")
    images = ("-p", "image_transport:=compressed", "-r", "image:=/front/image_raw")
    with NodeProcess("smpler_ros.viewer", *arguments, *images) as node:
        node.wait_for("people are shown at")
        found = re.search(r"http://localhost:\d+", node.output)
        assert found
        watcher = Watcher(found[0])
        heard = ("/front/image_raw/compressed", "/ground_truth/people")
        for topic in heard:
            reliable_peer.spin_until(
                lambda topic=topic: reliable_peer.node.count_subscribers(topic) == 1  # type: ignore[misc]
            )
        assert reliable_peer.node.count_subscribers("/front/image_raw") == 0
        watcher.close()


def test_an_unknown_parameter_is_refused(ros_domain: int) -> None:
    with NodeProcess("smpler_ros.viewer", "-p", "camera_heigt:=1.0") as node:
        assert node.wait() == 1
        assert "did you mean 'camera_height'?" in node.output


def test_a_host_of_another_machine_is_refused(ros_domain: int) -> None:
    with NodeProcess("smpler_ros.viewer", "-p", "host:=192.0.2.1") as node:
        assert node.wait() == 1
        assert "an address of this machine, got 192.0.2.1" in node.output


def test_lifecycle_shutdown_closes_the_page(default_context: None) -> None:
    viewer = Viewer()
    viewer.set_parameters([Parameter("port", value=0)])
    assert viewer.start()
    page = viewer._page
    assert page is not None
    address = ("localhost", page.server.get_port())
    with urlopen(page.address, timeout=10) as answer:
        assert answer.status == 200
    viewer.trigger_shutdown()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address, timeout=5)
    assert not list(viewer.timers)
    viewer.destroy_node()
