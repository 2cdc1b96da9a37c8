"""Topics for planners and footprints over Fast DDS: a camera whose pose in `map` is known."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseArray
from people_msgs.msg import People
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3DArray

from smpler_model.cameras.frame_tree import level_camera
from smpler_model.cameras.messages import stamp_ns_of
from smpler_ros.messages.convert import header_message, transform_message
from smpler_ros.messages.message_types import message_types_from_ros
from smpler_ros.outputs import planner_output
from smpler_ros.outputs.planner_output import PlannerOutput
from tests.random_people import random_result
from tests.ros.boxed_camera import Camera
from tests.ros.conftest import StartNode, reserve_domain
from tests.ros.peer import Peer

POSE = level_camera(1.2, 10.0)
TYPES = message_types_from_ros(serialize_message)


@pytest.fixture(scope="module")
def camera(start_node: StartNode) -> Iterator[Camera]:
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        static = peer.node.create_publisher(TFMessage, "/tf_static", latched)
        header = header_message(TYPES, 0, "map")
        link = transform_message(TYPES, header, "camera_optical_frame", POSE)
        static.publish(TFMessage(transforms=[link]))
        given = {"fixed_frame": "map", "transform_wait": 2.0, "use_floor": True}
        with start_node(detector="topic", **given):
            yield Camera(peer)
        peer.close()


def newest(camera: Camera, messages: list[Any]) -> tuple[Any, Any]:
    """Return a message with two people, and the people of the same image.

    The first images may come before the transform, and are then processed without it.
    """

    def is_wanted(message: Any) -> bool:  # noqa: ANN401 - a message
        people = camera.people_at(message)
        return len(people.people) == 2 and people.fixed_frame == "map"

    def is_there() -> bool:
        camera.exchange()
        return any(map(is_wanted, messages))

    camera.peer.spin_until(is_there)
    message = next(each for each in reversed(messages) if is_wanted(each))
    return message, camera.people_at(message)


def place_of(point: Any) -> list[float]:  # noqa: ANN401 - a message
    return [point.x, point.y, point.z]


def test_poses_and_boxes_are_the_people_in_the_fixed_frame(camera: Camera) -> None:
    poses = camera.listen("people/poses", PoseArray)
    boxes = camera.listen("people/boxes", Detection3DArray)
    message, people = newest(camera, poses)
    assert message.header.frame_id == "map"
    for pose, person in zip(message.poses, people.people, strict=True):
        np.testing.assert_allclose(place_of(pose.position), person.position, atol=1e-6)
        turn = Rotation.from_quat([*place_of(pose.orientation), pose.orientation.w]).as_matrix()
        np.testing.assert_allclose(turn[:, 2], [0, 0, 1], atol=1e-6)
    message, people = newest(camera, boxes)
    assert message.header.frame_id == "map"
    for detection, person in zip(message.detections, people.people, strict=True):
        assert detection.id == str(person.id)
        (hypothesis,) = detection.results
        place = place_of(hypothesis.pose.pose.position)
        np.testing.assert_allclose(place, person.position, atol=1e-6)
        covariance = np.reshape(hypothesis.pose.covariance, (6, 6))[:3, :3]
        expected = np.reshape(person.position_covariance, (3, 3))
        np.testing.assert_allclose(covariance, expected, rtol=1e-6)
        assert min(place_of(detection.bbox.size)) > 0.2


def test_velocities_are_those_of_the_people(camera: Camera) -> None:
    velocities = camera.listen("people/velocities", People)
    message, people = newest(camera, velocities)
    assert message.header.frame_id == "map"
    for sent, person in zip(message.people, people.people, strict=True):
        assert sent.name == str(person.id)
        np.testing.assert_allclose(place_of(sent.position), person.position, atol=1e-6)
        np.testing.assert_allclose(place_of(sent.velocity), person.velocity, atol=1e-6)
        assert sent.reliability == pytest.approx(person.score, abs=1e-6)


def test_footprints_lie_on_the_floor_below_the_pelvises(camera: Camera) -> None:
    frames = camera.listen("/tf", TFMessage)

    def links(message: TFMessage) -> list[Any]:
        return [t for t in message.transforms if t.child_frame_id.endswith("/footprint")]

    camera.peer.spin_until(lambda: camera.exchange() is not None and any(map(links, frames)))
    found = links(next(each for each in reversed(frames) if links(each)))
    people = camera.people_at(found[0])
    assert len(found) == len(people.people)
    for link, person in zip(found, people.people, strict=True):
        assert link.header.frame_id == "map"
        assert link.child_frame_id == f"person_{person.id}/footprint"
        place, q = place_of(link.transform.translation), link.transform.rotation
        pelvis = POSE[:3, :3] @ np.reshape(person.joints, (24, 3))[0] + POSE[:3, 3]
        np.testing.assert_allclose(place, [*pelvis[:2], 0.0], atol=1e-4)
        np.testing.assert_allclose([q.x, q.y], 0, atol=1e-6)


def test_a_message_that_nobody_hears_is_not_built(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One topic after the other gets a subscriber; the others' messages may not be built."""
    built: list[str] = []
    for name in ("place_people", "poses_message", "boxes_message"):
        real = getattr(planner_output, name)

        def spy(*given: Any, real: Any = real, name: str = name) -> Any:  # noqa: ANN401
            built.append(name)
            return real(*given)

        monkeypatch.setattr(planner_output, name, spy)
    peer = Peer(ros_domain, ReliabilityPolicy.RELIABLE)
    node = LifecycleNode("planned", context=peer.context)
    output = PlannerOutput(node, "", TYPES)
    node.trigger_configure()
    node.trigger_activate()
    result, header = random_result(2, has_details=True), header_message(TYPES, 5, "camera")
    output.publish(header, result)
    assert built == []
    heard: list[PoseArray] = []
    peer.node.create_subscription(PoseArray, "people/poses", heard.append, 10)
    peer.spin_until(lambda: node.count_subscribers("people/poses") == 1)

    def arrives() -> bool:
        output.publish(header, result)
        return bool(heard)

    peer.spin_until(arrives)
    assert set(built) == {"place_people", "poses_message"}
    assert stamp_ns_of(heard[0]) == result.stamp_ns
    output.clear(header)
    peer.spin_until(lambda: not heard[-1].poses)
    assert heard[-1].header.frame_id == heard[0].header.frame_id
    output.close()
    node.destroy_node()
    peer.close()
