"""Two cameras over real ROS: people fused live and from a bag are equal."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import open_bag
from smpler_model.cameras.messages import stamp_ns_of
from smpler_model.frames import People, TranslationSource, details_of
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.bags.bag_run import evaluate_bag
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.messages.convert import header_message, transform_message
from smpler_ros.messages.images import camera_info_message, image_message
from smpler_ros.messages.message_types import MessageTypes, message_types_from_ros
from synthetic.truth import SceneFrame
from tests.ros.conftest import StartNode
from tests.ros.peer import Peer
from tests.two_cameras import NAMES, shoot, write_two_cameras

PARAMETERS = {
    "model": "smpler_nano",
    "detector": "person",
    "confirm_frames": 1,
    "threads": 1,
    "device": "cpu",
    "backend": "plain",
    "fixed_frame": "map",
}
OUTPUTS = (*NAMES, "fused")
Heard = dict[str, dict[int, SmplPersonArray]]


@pytest.fixture(scope="module")
def moments() -> list[dict[str, SceneFrame]]:
    return shoot()


class Cameras:
    """The publishers of two cameras and of their transforms, and what comes back."""

    def __init__(self, peer: Peer, listen: tuple[str, ...]) -> None:
        node, self._peer = peer.node, peer
        self.types: MessageTypes = message_types_from_ros(serialize_message)
        self.images = {name: node.create_publisher(Image, f"{name}/image", 5) for name in NAMES}
        self.infos = {
            name: node.create_publisher(CameraInfo, f"{name}/camera_info", 5) for name in NAMES
        }
        self.moving = node.create_publisher(TFMessage, "/tf", 10)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.static = node.create_publisher(TFMessage, "/tf_static", latched)
        self.heard: Heard = {name: {} for name in OUTPUTS}
        self.poses: list[PoseArray] = []
        self.markers: list[MarkerArray] = []
        self.meshes: list[MarkerArray] = []
        self.frames: dict[int, list[Any]] = {}
        for name in listen:
            node.create_subscription(SmplPersonArray, f"{name}/people", self._keep(name), 10)
        if "fused" in listen:
            node.create_subscription(PoseArray, "fused/people/poses", self.poses.append, 10)
            node.create_subscription(
                MarkerArray, "fused/skeleton_markers", self.markers.append, 10
            )
            node.create_subscription(MarkerArray, "fused/mesh_markers", self.meshes.append, 10)
            node.create_subscription(TFMessage, "/tf", self._keep_frames, 100)

    def _keep(self, name: str) -> Any:  # noqa: ANN401 - a callback
        return lambda message: self.heard[name].update({stamp_ns_of(message): message})

    def _keep_frames(self, message: TFMessage) -> None:
        fused = [each for each in message.transforms if "fused/" in each.child_frame_id]
        for each in fused:
            self.frames.setdefault(stamp_ns_of(each), []).append(each)

    def wait(self) -> None:
        """Wait for the node."""
        publishers = [*self.images.values(), *self.infos.values(), self.moving]
        for publisher in publishers:
            self._peer.spin_until(lambda: publisher.get_subscription_count() > 0)  # noqa: B023
        self._peer.spin_until(lambda: self._peer.node.count_publishers("left/people") > 0)
        time.sleep(1.0)  # discovery is complete slightly before both ends report it

    def send_pose(self, shot: SceneFrame, *, is_static: bool) -> None:
        """Publish where a camera is."""
        header = header_message(self.types, shot.frame.stamp_ns, "map")
        pose = shot.truth.world_from_camera
        transform = transform_message(self.types, header, shot.frame.frame_id, pose)
        (self.static if is_static else self.moving).publish(
            self.types.tf_message(transforms=[transform])
        )

    def send(self, name: str, shot: SceneFrame) -> None:
        """Publish an image after its calibration, and the moving camera's transform after it."""
        header = header_message(self.types, shot.frame.stamp_ns, shot.frame.frame_id)
        assert shot.frame.camera is not None
        self.infos[name].publish(camera_info_message(self.types, header, shot.frame.camera))
        time.sleep(0.3)  # other topics may overtake; the calibration must arrive first
        self.images[name].publish(image_message(self.types, header, shot.frame.rgb))
        if name == "right":
            time.sleep(0.04)
            self.send_pose(shot, is_static=False)


def play(
    peer: Peer,
    start_node: StartNode,
    moments: list[dict[str, SceneFrame]],
    *,
    tolerance: float,
    listen: tuple[str, ...] = OUTPUTS,
) -> Cameras:
    """Publish the moments' images, each after the answer to the one before."""
    cameras = Cameras(peer, listen)
    parameters = PARAMETERS | {"fusion_tolerance": tolerance, "transform_wait": 2.0}
    with start_node(**parameters, cameras=f"[{','.join(NAMES)}]"):
        cameras.wait()
        cameras.send_pose(moments[0]["left"], is_static=True)
        cameras.send_pose(moments[0]["right"], is_static=False)
        for count, moment in enumerate(moments, start=1):
            for name, shot in moment.items():
                cameras.send(name, shot)
                peer.spin_until(lambda: len(cameras.heard[name]) >= count)  # noqa: B023
            if tolerance and "fused" in listen:
                peer.spin_until(lambda: len(cameras.heard["fused"]) >= count)  # noqa: B023
        if tolerance and "fused" in listen:
            for kept in (cameras.poses, cameras.meshes, cameras.markers, cameras.frames):
                peer.spin_until(lambda: len(kept) >= len(moments))  # noqa: B023
    return cameras


def evaluate(
    bag: Path, folder: Path, tolerance: float, outputs: tuple[str, ...] = ("people",)
) -> dict[str, dict[int, People]]:
    values = {**PARAMETERS, "outputs": outputs, "fusion_tolerance": tolerance, "truth": "none"}
    evaluate_bag(bag, folder, EvaluationSettings.from_values(values))
    with open_bag(folder / "bag") as reader:
        return {
            name: {
                each.time_ns: people_from_message(each.message)
                for each in reader.read_messages([f"/{name}/people"])
            }
            for name in OUTPUTS
            if f"/{name}/people" in reader.topics
        }


def test_people_of_two_cameras_are_fused_alike_live_and_from_a_bag(
    reliable_peer: Peer,
    start_node: StartNode,
    tmp_path: Path,
    moments: list[dict[str, SceneFrame]],
) -> None:
    cameras = play(reliable_peer, start_node, moments, tolerance=0.02)
    write_two_cameras(tmp_path / "bag", moments)
    outputs = ("people", "tf", "mesh_markers", "skeleton_markers")
    offline = evaluate(tmp_path / "bag", tmp_path / "out", 0.02, outputs)
    for name in OUTPUTS:
        live = {stamp: people_from_message(each) for stamp, each in cameras.heard[name].items()}
        assert list(live) == list(offline[name])
        assert_equal(live, offline[name])
    fused = list(offline["fused"].values())
    assert list(offline["fused"]) == [each["right"].frame.stamp_ns for each in moments]
    together = [people.sources == TranslationSource.VIEWS for people in fused]
    assert all(each.any() for each in together)
    ids = {tuple(people.ids[chosen]) for people, chosen in zip(fused, together, strict=True)}
    assert len(ids) == 1  # whoever both see keeps the id
    for message in cameras.heard["fused"].values():
        assert (message.header.frame_id, message.fixed_frame) == ("map", "map")
    last = fused[-1]
    assert last.motion is not None
    np.testing.assert_allclose(last.motion.positions_m, last.joints_m[:, 0], atol=1e-6)
    poses = cameras.poses[-1]
    assert poses.header.frame_id == "map"
    places = [[pose.position.x, pose.position.y, pose.position.z] for pose in poses.poses]
    np.testing.assert_allclose(places, last.motion.positions_m, atol=1e-5)
    assert {len(each.markers) > 0 for each in cameras.markers} == {True}
    pelvises = {
        each.child_frame_id: each
        for each in cameras.frames[list(offline["fused"])[-1]]
        if each.child_frame_id.endswith("/pelvis")
    }
    assert set(pelvises) == {f"fused/person_{id_}/pelvis" for id_ in last.ids}
    for id_, joints_m in zip(last.ids, last.joints_m, strict=True):
        frame = pelvises[f"fused/person_{id_}/pelvis"]
        assert frame.header.frame_id == "map"
        offset = frame.transform.translation
        np.testing.assert_allclose([offset.x, offset.y, offset.z], joints_m[0], atol=1e-4)
    mesh = {each.id: each for each in cameras.meshes[-1].markers}
    assert set(mesh) == set(last.ids.tolist())
    for id_, joints_m in zip(last.ids.tolist(), last.joints_m, strict=True):
        assert mesh[id_].header.frame_id == "map"
        corners = np.array([[each.x, each.y, each.z] for each in mesh[id_].points])
        np.testing.assert_allclose(corners.mean(0), joints_m.mean(0), atol=0.2)
    near = np.linalg.norm(true_pelvises(moments[-1])[:, None] - last.joints_m[:, 0], axis=-1)
    assert near.min(0).max() < 1.0  # nobody is where nobody is

    assert_same_frames(cameras.frames, tmp_path / "out" / "bag")
    for name, live_markers in (("mesh", cameras.meshes), ("skeleton", cameras.markers)):
        assert_same_markers(live_markers, tmp_path / "out" / "bag", f"/fused/{name}_markers")


def assert_same_frames(live: dict[int, list[Any]], bag: Path) -> None:
    """Check that the frames of fused people are those of a bag."""
    offline: dict[int, list[Any]] = {}
    with open_bag(bag) as reader:
        for each in reader.read_messages(["/tf"]):
            for one in each.message.transforms:
                if one.child_frame_id.startswith("fused/"):
                    offline.setdefault(stamp_ns_of(one), []).append(one)
    assert live.keys() == offline.keys()
    for stamp_ns, transforms in live.items():
        ours, theirs = (
            {one.child_frame_id: one for one in each} for each in (transforms, offline[stamp_ns])
        )
        assert ours.keys() == theirs.keys()
        for name, one in ours.items():
            assert one.header.frame_id == theirs[name].header.frame_id
            np.testing.assert_allclose(
                matrix_of(one.transform), matrix_of(theirs[name].transform), atol=1e-4
            )


def matrix_of(transform: Any) -> np.ndarray:  # noqa: ANN401
    """Return a transform as (3, 4)."""
    place, turn = transform.translation, transform.rotation
    rotation = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    return np.column_stack([rotation, [place.x, place.y, place.z]])


def assert_same_markers(live: list[MarkerArray], bag: Path, topic: str) -> None:
    """Check that markers are those of a bag: who is shown in each moment, and the last points."""
    with open_bag(bag) as reader:
        offline = [each.message for each in reader.read_messages([topic])]
    assert len(live) == len(offline)
    for ours, theirs in zip(live, offline, strict=True):
        named = [
            {(each.ns, each.id): each for each in message.markers} for message in (ours, theirs)
        ]
        assert named[0].keys() == named[1].keys()
        for key, marker in named[0].items():
            other = named[1][key]
            assert (marker.type, marker.action) == (other.type, other.action)
            assert marker.header.frame_id == other.header.frame_id
            assert stamp_ns_of(marker) == stamp_ns_of(other)
            if ours is live[-1]:
                points = [[[p.x, p.y, p.z] for p in each.points] for each in (marker, other)]
                np.testing.assert_allclose(*points, atol=1e-3)


def test_single_views_are_as_they_are_without_fusion(
    reliable_peer: Peer,
    start_node: StartNode,
    tmp_path: Path,
    moments: list[dict[str, SceneFrame]],
) -> None:
    """Nobody listens to fused people: there is no such topic, and the bag has none."""
    cameras = play(reliable_peer, start_node, moments[:2], tolerance=0.0, listen=NAMES)
    assert reliable_peer.node.count_publishers("fused/people") == 0
    write_two_cameras(tmp_path / "bag", moments[:2])
    without = evaluate(tmp_path / "bag", tmp_path / "without", 0.0)
    fused = evaluate(tmp_path / "bag", tmp_path / "with", 0.02)
    assert without.keys() == set(NAMES)
    for name in NAMES:
        live = {stamp: people_from_message(each) for stamp, each in cameras.heard[name].items()}
        assert_equal(live, without[name])
        for stamp, people in without[name].items():
            for field, values in vars(people).items():
                if isinstance(values, np.ndarray):
                    np.testing.assert_array_equal(getattr(fused[name][stamp], field), values)


def true_pelvises(moment: dict[str, SceneFrame]) -> np.ndarray:
    """Return (n, 3) the pelvises of everybody whom a camera sees."""
    found = []
    for shot in moment.values():
        pose = shot.truth.world_from_camera
        found.append(shot.truth.joints_m[:, 0] @ pose[:3, :3].T + pose[:3, 3])
    return np.concatenate(found)


def assert_equal(live: dict[int, People], offline: dict[int, People]) -> None:
    """Check that people are equal but for rounding.

    The bag's images share a batch, the live ones come one by one; in float32, the network's
    convolutions round differently.
    """
    for stamp, people in live.items():
        ours = vars(people) | details_of(people)
        for name, values in (vars(offline[stamp]) | details_of(offline[stamp])).items():
            if values is not None and name != "motion":
                np.testing.assert_allclose(ours[name], values, rtol=1e-4, atol=1e-4, err_msg=name)
