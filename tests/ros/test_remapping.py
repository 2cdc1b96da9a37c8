"""Names of topics and cameras that are mapped to those of others."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.topic_endpoint_info import TopicEndpointInfo

from smpler_ros.inputs.camera_input import CameraInput, InputConfig
from smpler_ros.inputs.camera_names import check_camera_names
from smpler_ros.viewer.viewer_node import Viewer

NAMES = ("image", "camera_info", "depth")


def swap(*names: str) -> list[str]:
    """Return the rules that swap topics of the cameras left and right."""
    return [
        word
        for name in names
        for one, other in (("left", "right"), ("right", "left"))
        for word in ("-r", f"{one}/{name}:=/{other}/{name}")
    ]


@contextmanager
def ros(domain: int, *rules: str) -> Iterator[None]:
    """Initialise rclpy with arguments."""
    arguments = ["--ros-args", *rules]
    rclpy.init(args=arguments, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield
    finally:
        rclpy.shutdown()


def topics_of(node: Node, config: InputConfig) -> set[str]:
    """Return the topics that the camera left subscribes to."""
    before = set(node.subscriptions)
    camera = CameraInput(node, "left", config, lambda _: None, lambda: None)
    topics = {each.topic_name for each in set(node.subscriptions) - before}
    camera.close()
    return topics


def test_swapped_cameras_keep_their_calibrations(ros_domain: int) -> None:
    with ros(ros_domain, *swap(*NAMES)):
        node = Node("swapped")
        raw = topics_of(node, InputConfig(depth=True))
        compressed = topics_of(node, InputConfig(compressed=True))
        node.destroy_node()
    assert raw == {f"/right/{name}" for name in NAMES}
    assert compressed == {"/right/image/compressed", "/right/camera_info"}


def test_compressed_images_may_have_rules_of_their_own(ros_domain: int) -> None:
    with ros(ros_domain, *swap(*NAMES, "image/compressed")):
        node = Node("swapped")
        topics = topics_of(node, InputConfig(compressed=True))
        node.destroy_node()
    assert topics == {"/right/image/compressed", "/right/camera_info"}


def test_publishers_are_sought_on_the_remapped_topic(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ros(ros_domain, *swap(*NAMES)):
        node = Node("swapped")
        camera = CameraInput(node, "left", InputConfig(), lambda _: None, lambda: None)
        assert camera._images.topic == "/right/image"
        assert camera._other_topic == "/right/image/compressed"
        sought: list[str] = []

        def seek(name: str) -> list[TopicEndpointInfo]:
            sought.append(node.resolve_topic_name(name))
            return []

        monkeypatch.setattr(node, "get_publishers_info_by_topic", seek)
        camera._check()
        camera.close()
        node.destroy_node()
    assert sought == ["/right/camera_info", "/right/image"]


@pytest.mark.parametrize(
    ("transport", "image"), [("raw", "/right/image"), ("compressed", "/right/image/compressed")]
)
def test_the_viewer_shows_swapped_cameras(ros_domain: int, transport: str, image: str) -> None:
    given = ["-p", "autostart:=false", "-p", f"image_transport:={transport}"]
    with ros(ros_domain, *swap(*NAMES), *given, "-p", "cameras:=[left]"):
        viewer = Viewer()
        viewer._subscribe()
        topics = {each.topic_name for each in viewer.subscriptions}
        viewer.close()
        viewer.destroy_node()
    assert {image, "/right/camera_info", "/left/people"} <= topics
    assert not any(topic.startswith("/left/image") for topic in topics)


def test_no_camera_has_the_topics_of_fused_people(ros_domain: int) -> None:
    with ros(ros_domain):
        node, inner = Node("outer"), Node("inner", namespace="/robot")
        for each, name in ((node, "/fused"), (node, "fused/"), (inner, "/robot/fused")):
            check_camera_names(each, (name, "rear"))
            with pytest.raises(ValueError, match="no camera may be named fused where views are"):
                check_camera_names(each, (name, "rear"), are_fused=True)
        check_camera_names(inner, ("/fused", "rear"), are_fused=True)
        node.destroy_node()
        inner.destroy_node()
