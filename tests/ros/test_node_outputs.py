"""Outputs of the node, and its handling of faults: one node, one camera, boxes from a topic."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hri_msgs.msg import IdsList, NormalizedRegionOfInterest2D, Skeleton2D
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.qos import ReliabilityPolicy
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from smpler_model.cameras.messages import decode_image
from smpler_ros.messages.markers import ADD, DELETE, DELETEALL
from tests.ros.boxed_camera import BOXES, FOCAL, HEIGHT, WIDTH, Camera
from tests.ros.conftest import StartNode, reserve_domain
from tests.ros.node_process import NodeProcess
from tests.ros.peer import Peer
from tests.ros.test_smpler_node import change_state


@pytest.fixture(scope="module")
def running(start_node: StartNode) -> Iterator[tuple[Peer, NodeProcess]]:
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        given = {"publish_vertices": True, "publish_hri": True, "smoothing": False}
        with start_node(detector="topic", **given) as node:
            peer.wait_for_node()
            yield peer, node
        peer.close()


@pytest.fixture(scope="module")
def camera(running: tuple[Peer, NodeProcess]) -> Camera:
    """A camera whose two people have been seen."""
    camera = Camera(running[0])
    camera.exchange()
    camera.peer.spin_until(lambda: len(camera.exchange().people) == 2)
    return camera


@pytest.fixture(scope="module")
def robot_cameras(start_node: StartNode) -> Iterator[tuple[Camera, Camera]]:
    """Two cameras of one node, in the namespace of a robot."""
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        given = {"cameras": "[left, right]", "publish_hri": True}
        with start_node("-r", "__ns:=/robot1", detector="topic", **given):
            yield Camera(peer, "robot1/left"), Camera(peer, "robot1/right")
        peer.close()


def set_parameter(peer: Peer, name: str, **value: object) -> tuple[bool, str]:
    client = peer.node.create_client(SetParameters, "/smpler_node/set_parameters")
    peer.spin_until(client.service_is_ready)
    request = SetParameters.Request(
        parameters=[Parameter(name=name, value=ParameterValue(**value))]
    )
    future = client.call_async(request)
    peer.spin_until(future.done)
    (result,) = future.result().results
    return result.successful, result.reason


def points_of(marker: Any) -> np.ndarray:  # noqa: ANN401 - a message
    return np.array([(point.x, point.y, point.z) for point in marker.points])


def test_boxes_become_people_with_meshes(camera: Camera) -> None:
    message = camera.exchange()
    assert message.header.frame_id == "camera_optical_frame"
    assert message.model == "seeded"
    found = {tuple(person.box_xyxy) for person in message.people}
    assert found == set(BOXES)
    for person in message.people:
        assert len(person.vertices) == 6890 * 3
        assert person.translation_source == person.TRANSLATION_FROM_BODY_SIZE
        joints = np.reshape(person.joints, (24, 3))
        seen = joints[:, :2] / joints[:, 2:] * FOCAL + (WIDTH / 2, HEIGHT / 2)
        np.testing.assert_allclose(np.reshape(person.keypoints, (24, 2)), seen, atol=0.05)


def test_frames_give_the_joints(camera: Camera) -> None:
    frames = camera.listen("/tf", TFMessage)

    def of_people() -> list[TFMessage]:
        return [m for m in frames if m.transforms[0].child_frame_id.startswith("person_")]

    camera.peer.spin_until(lambda: camera.exchange() is not None and bool(of_people()))
    message = of_people()[-1]
    people = camera.people_at(message.transforms[0])
    assert len(message.transforms) == 24 * len(people.people)
    by_child = {t.child_frame_id: t for t in message.transforms}
    for person in people.people:
        names = [f"person_{person.id}/{joint}" for joint in SMPL_JOINTS]
        origins = np.empty((24, 3))
        axes = [Rotation.identity()] * 24
        for index, (name, parent) in enumerate(zip(names, SMPL_PARENTS, strict=True)):
            transform = by_child[name]
            above = "camera_optical_frame" if parent < 0 else names[parent]
            assert transform.header.frame_id == above
            t, q = transform.transform.translation, transform.transform.rotation
            origin, turn = (t.x, t.y, t.z), Rotation.from_quat((q.x, q.y, q.z, q.w))
            if parent < 0:
                origins[index], axes[index] = origin, turn
            else:
                origins[index] = origins[parent] + axes[parent].apply(origin)
                axes[index] = axes[parent] * turn
        np.testing.assert_allclose(origins, np.reshape(person.joints, (24, 3)), atol=1e-5)


def test_markers_show_the_vertices_and_are_deleted_with_the_people(camera: Camera) -> None:
    arrays = camera.listen("mesh_markers", MarkerArray)
    camera.peer.spin_until(lambda: camera.exchange() is not None and bool(arrays))
    markers = {marker.id: marker for marker in arrays[-1].markers}
    people = camera.people_at(next(iter(markers.values())))
    faces = load_builtin_body().faces
    for person in people.people:
        marker = markers[person.id]
        assert (marker.action, marker.header) == (ADD, people.header)
        vertices = np.reshape(person.vertices, (-1, 3))
        np.testing.assert_allclose(points_of(marker), vertices[faces.ravel()], atol=1e-6)
    left = {person.id for person in people.people if tuple(person.box_xyxy) == BOXES[0]}
    arrays.clear()

    def deleted() -> bool:
        camera.exchange(BOXES[1:])
        return {m.id for a in arrays for m in a.markers if m.action == DELETE} == left

    camera.peer.spin_until(deleted)
    camera.peer.spin_until(lambda: len(camera.exchange().people) == 2)


def test_skeletons_and_overlay(camera: Camera) -> None:
    skeletons = camera.listen("skeleton_markers", MarkerArray)
    overlays = camera.listen("overlay/compressed", CompressedImage)
    camera.peer.spin_until(lambda: camera.exchange() is not None and skeletons and overlays)
    assert decode_image(overlays[-1]).shape == (HEIGHT, WIDTH, 3)
    bones = [m for m in skeletons[-1].markers if m.ns == "skeleton"]
    people = camera.people_at(bones[0])
    person = next(p for p in people.people if p.id == bones[0].id)
    joints = np.reshape(person.joints, (24, 3))
    ends = [(parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0]
    np.testing.assert_allclose(points_of(bones[0]), joints[np.ravel(ends)], atol=1e-5)


def test_bodies_follow_rep_155(camera: Camera, running: tuple[Peer, NodeProcess]) -> None:
    peer = camera.peer
    lists = camera.listen("/humans/bodies/tracked", IdsList)
    frames = camera.listen("/tf", TFMessage)
    peer.spin_until(lambda: camera.exchange() is not None and any(m.ids for m in lists))
    body = next(m for m in reversed(lists) if m.ids).ids[0]
    regions = camera.listen(f"/humans/bodies/{body}/roi", NormalizedRegionOfInterest2D)
    skeletons = camera.listen(f"/humans/bodies/{body}/skeleton2d", Skeleton2D)
    peer.spin_until(lambda: camera.exchange() is not None and regions and skeletons)
    names = {t.child_frame_id for message in frames for t in message.transforms}
    assert "Traceback" not in running[1].output
    assert f"body_{body}" in names
    region = regions[-1]
    edges = np.array([region.xmin * WIDTH, region.ymin * HEIGHT]) - 0.5
    assert min(np.abs(edges - box[:2]).max() for box in BOXES) < 0.01
    assert len(skeletons[-1].skeleton) == 18


@pytest.mark.parametrize(
    ("image", "info", "sentence"),
    [
        ({"step": 7}, {}, "step"),
        ({"encoding": "rainbow9"}, {}, "rainbow9"),
        ({"height": 0, "width": 0}, {}, "an image was dropped"),
        ({}, {"k": [float("nan")] * 9}, "an image was dropped"),
    ],
)
def test_a_fault_drops_one_image_and_is_reported(
    camera: Camera,
    running: tuple[Peer, NodeProcess],
    image: dict[str, object],
    info: dict[str, object],
    sentence: str,
) -> None:
    _, node = running
    statuses = camera.listen("/diagnostics", DiagnosticArray)
    statuses.clear()
    before = len(node.output)

    def is_reported() -> bool:
        camera.send(image=image, info=info)
        camera.peer.executor.spin_once(timeout_sec=0.1)
        levels = [status.level for array_ in statuses for status in array_.status]
        return DiagnosticStatus.ERROR in levels

    camera.peer.spin_until(is_reported)
    node.wait_for(sentence)
    assert "Traceback" not in node.output
    assert node.output[before:].count("an image was dropped") <= 2
    camera.peer.spin_until(lambda: len(camera.exchange().people) == 2)


def test_a_calibration_of_another_size_does_not_replace_the_matching_one(
    camera: Camera, running: tuple[Peer, NodeProcess]
) -> None:
    """Some drivers publish several sizes on one topic."""
    _, node = running
    before = len(node.output)
    stamps = [camera.send(info={"width": 1920, "height": 1080}) for _ in range(3)]
    camera.peer.spin_until(lambda: stamps[-1] in camera.people)
    assert len(camera.people[stamps[-1]].people) == 2
    assert "an image was dropped" not in node.output[before:]


def test_a_clock_set_back_restarts_tracking(camera: Camera) -> None:
    camera.index += 100  # farther than an image can be late
    camera.peer.spin_until(lambda: len(camera.exchange().people) == 2)
    ids = {person.id for person in camera.exchange().people}
    camera.index, later = 0, camera.index
    camera.people.clear()
    camera.peer.spin_until(lambda: len(camera.exchange().people) == 2)
    assert not ids & {person.id for person in camera.exchange().people}
    camera.index = later + 100


def test_live_parameters_change_and_others_are_refused_with_a_reason(camera: Camera) -> None:
    peer = camera.peer
    double, text = ParameterType.PARAMETER_DOUBLE, ParameterType.PARAMETER_STRING
    assert set_parameter(peer, "crop_margin", type=double, double_value=1.3) == (True, "")
    done, why = set_parameter(peer, "crop_margin", type=double, double_value=50.0)
    assert not done
    assert "crop_margin" in why
    done, why = set_parameter(peer, "model", type=text, string_value="smpler_w48")
    assert (done, "model is read when the node is configured" in why) == (False, True)
    client = peer.node.create_client(DescribeParameters, "/smpler_node/describe_parameters")
    peer.spin_until(client.service_is_ready)
    future = client.call_async(DescribeParameters.Request(names=["fov"]))
    peer.spin_until(future.done)
    (described,) = future.result().descriptors
    assert described.description.startswith("Horizontal field of view")
    assert described.floating_point_range[0].to_value == 179.0


def test_all_markers_are_deleted_at_the_end(
    camera: Camera, running: tuple[Peer, NodeProcess]
) -> None:
    arrays = camera.listen("mesh_markers", MarkerArray)
    camera.peer.spin_until(lambda: camera.exchange() is not None and bool(arrays))
    arrays.clear()
    assert change_state(camera.peer, Transition.TRANSITION_DEACTIVATE)
    camera.peer.spin_until(lambda: any(m.action == DELETEALL for a in arrays for m in a.markers))
    assert change_state(camera.peer, Transition.TRANSITION_ACTIVATE)
    camera.peer.spin_until(lambda: len(camera.exchange().people) == 2)


def test_two_cameras_share_the_ids(robot_cameras: tuple[Camera, Camera]) -> None:
    def both_see() -> bool:
        return all(len(camera.exchange().people) == 2 for camera in robot_cameras)

    robot_cameras[0].peer.spin_until(both_see)
    ids = [{p.id for p in camera.exchange().people} for camera in robot_cameras]
    assert not ids[0] & ids[1]


def test_bodies_of_several_cameras_are_in_the_robot_s_namespace(
    robot_cameras: tuple[Camera, Camera],
) -> None:
    camera = robot_cameras[0]
    lists = camera.listen("/robot1/left/humans/bodies/tracked", IdsList)
    camera.peer.spin_until(lambda: camera.exchange() is not None and any(m.ids for m in lists))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"model": "/nowhere.pt"}, "cannot configure: model must be smpler_nano or a checkpoint"),
        ({"detector": "onnx"}, "cannot configure: the detector onnx needs a file"),
        ({"device": "cuda:9"}, "cannot configure: device 'cuda:9' needs a GPU"),
        (
            {"detector": "eyes"},
            "the node cannot start: detector must be one of person, torchvision",
        ),
    ],
)
def test_a_node_that_cannot_be_configured_says_why(
    ros_domain: int, start_node: StartNode, parameters: dict[str, object], sentence: str
) -> None:
    with start_node(**parameters) as node:
        assert node.wait() == 1
        assert sentence in node.output
        assert "Traceback" not in node.output
