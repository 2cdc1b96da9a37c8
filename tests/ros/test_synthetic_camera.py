"""The synthetic camera as a process, over real topics."""

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from smpler_model.bags.people_topics import people_from_message
from smpler_model.body import builtin
from smpler_model.cameras.frame_reader import FrameReader
from smpler_model.cameras.messages import NS_PER_S, decode_image, stamp_ns_of
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.camera.scene_film import make_film
from smpler_ros.camera.scene_player import Film
from smpler_ros.parameters.scene_settings import SceneSettings
from tests.forked import ForkedProgram
from tests.ros.conftest import reserve_domain
from tests.ros.node_process import NodeProcess
from tests.ros.peer import Peer

MODULE = "smpler_ros.synthetic_camera"
RATE_HZ, PERIOD_NS = 10.0, NS_PER_S // 10
SETTINGS: dict[str, object] = {
    "width": 160,
    "height": 120,
    "people": 1,
    "seed": 7,
    "rate": RATE_HZ,
    "loop": 1.0,
    "empty": 0.0,
    "fov": 80.0,
    "lens": "plumb_bob",
    "publish_depth": True,
}


def start(*arguments: str, **others: object) -> NodeProcess:
    values = SETTINGS | others
    given = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
    return NodeProcess(MODULE, *given, *arguments)


def local_film(**others: object) -> Film:
    """The same film, rendered here."""
    return make_film(SceneSettings.from_values(SETTINGS | others))


class Viewer:
    """Subscribes to everything and keeps messages by timestamp, in the order of arrival."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.got: dict[str, dict[int, Any]] = {}
        self.subscriptions: list[Subscription[Any]] = []
        for name, kind in (
            ("image", Image),
            ("image/compressed", CompressedImage),
            ("camera_info", CameraInfo),
            ("depth", Image),
            ("ground_truth/people", SmplPersonArray),
        ):
            kept = self.got[name] = {}
            self.subscriptions.append(
                peer.node.create_subscription(
                    kind, name, lambda m, kept=kept: kept.update({stamp_ns_of(m): m}), 10
                )
            )

    def close(self) -> None:
        for subscription in self.subscriptions:
            self.peer.node.destroy_subscription(subscription)

    def common_stamps(self) -> list[int]:
        return sorted(set.intersection(*(set(kept) for kept in self.got.values())))

    def wait_for(self, count: int) -> list[int]:
        self.peer.spin_until(lambda: len(self.common_stamps()) >= count)
        return self.common_stamps()


@pytest.fixture(scope="module")
def film() -> Film:
    return local_film()


@pytest.fixture(scope="module")
def peer_of_one_camera() -> Iterator[Peer]:
    """A peer in a domain with a camera that runs for several tests."""
    with reserve_domain() as domain, start():
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        yield peer
        peer.close()


@pytest.fixture
def viewer(peer_of_one_camera: Peer) -> Iterator[Viewer]:
    viewer = Viewer(peer_of_one_camera)
    yield viewer
    viewer.close()


def test_messages_of_an_image_agree_with_the_scene(viewer: Viewer, film: Film) -> None:
    """The first image may be any of the loop; all later ones follow and equal those here."""
    stamps = viewer.wait_for(12)
    first = decode_image(viewer.got["image"][stamps[0]])
    phases = [i for i in range(film.length) if (film.shot(i).frame.rgb == first).all()]
    assert len(phases) == 1
    for stamp in stamps:
        steps, rest = divmod(stamp - stamps[0], PERIOD_NS)
        assert rest == 0
        expected = film.shot(phases[0] + steps)
        messages = [viewer.got[name][stamp] for name in ("image", "camera_info", "depth")]
        image, info, depth = messages
        frame = FrameReader().read(image, [info], depth)
        np.testing.assert_array_equal(frame.rgb, expected.frame.rgb)
        np.testing.assert_array_equal(frame.depth_m, expected.frame.depth_m)
        assert frame.camera == expected.frame.camera
        jpeg = decode_image(viewer.got["image/compressed"][stamp])
        assert np.abs(jpeg.astype(int) - frame.rgb).mean() < 4
        truth = viewer.got["ground_truth/people"][stamp]
        assert {m.header.frame_id for m in (*messages, truth)} == {"camera_optical_frame"}
        people = people_from_message(truth)
        np.testing.assert_array_equal(people.ids, expected.truth.ids)
        np.testing.assert_allclose(people.joints_m, expected.truth.joints_m, atol=1e-5)
        np.testing.assert_allclose(people.rotations, expected.truth.rotations, atol=1e-5)


def test_projected_joints_lie_in_the_person_s_box(viewer: Viewer) -> None:
    stamps = viewer.wait_for(5)
    for stamp in stamps:
        info = viewer.got["camera_info"][stamp]
        camera = FrameReader().read(viewer.got["image"][stamp], [info]).camera
        assert camera is not None
        people = people_from_message(viewer.got["ground_truth/people"][stamp])
        assert len(people) == 1
        pixels = camera.project(people.joints_m)
        np.testing.assert_allclose(pixels, people.keypoints_px, atol=1e-3)
        assert (pixels > people.boxes_xyxy[:, None, :2] - 1).all()
        assert (pixels < people.boxes_xyxy[:, None, 2:] + 1).all()
        assert (people.boxes_xyxy[:, :2] >= 0).all()
        assert (people.boxes_xyxy[:, 2:] < (info.width, info.height)).all()


def test_the_rate_is_steady(viewer: Viewer) -> None:
    viewer.wait_for(2)
    begin = time.monotonic()
    before = max(viewer.got["image"])
    viewer.peer.spin_until(lambda: max(viewer.got["image"]) - before >= 2 * NS_PER_S)
    assert time.monotonic() - begin == pytest.approx(2.0, abs=0.5)
    steps = np.diff(sorted(viewer.got["image"]))
    assert np.median(steps) == PERIOD_NS
    assert (steps % PERIOD_NS == 0).all()


def test_another_seed_is_another_scene(film: Film) -> None:
    again, other = local_film(), local_film(seed=8)
    np.testing.assert_array_equal(again.shot(4).frame.rgb, film.shot(4).frame.rgb)
    assert (other.shot(4).frame.rgb != film.shot(4).frame.rgb).mean() > 0.3


def transforms_of(peer: Peer, topic: str, count: int) -> dict[tuple[str, str], np.ndarray]:
    found: dict[tuple[str, str], np.ndarray] = {}

    def store(message: TFMessage) -> None:
        for transform in message.transforms:
            place, turn = transform.transform.translation, transform.transform.rotation
            matrix = np.eye(4)
            matrix[:3, :3] = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
            matrix[:3, 3] = place.x, place.y, place.z
            found[transform.header.frame_id, transform.child_frame_id] = matrix

    static = topic == "/tf_static"
    durability = DurabilityPolicy.TRANSIENT_LOCAL if static else DurabilityPolicy.VOLATILE
    qos = QoSProfile(depth=10, durability=durability)
    subscription = peer.node.create_subscription(TFMessage, topic, store, qos)
    peer.spin_until(lambda: len(found) >= count)
    peer.node.destroy_subscription(subscription)
    return found


def test_the_pose_of_a_still_camera_is_published(peer_of_one_camera: Peer, film: Film) -> None:
    found = transforms_of(peer_of_one_camera, "/tf_static", 2)
    link = found["map", "camera_link"]
    np.testing.assert_allclose(
        link @ found["camera_link", "camera_optical_frame"],
        film.shot(0).truth.world_from_camera,
        atol=1e-9,
    )
    assert link[2, 2] > 0.8  # its z points up, its x where the camera looks
    np.testing.assert_allclose(link[:3, 0], film.shot(0).truth.world_from_camera[:3, 2])


def test_compressed_images_are_published_beside_a_remapped_image(reliable_peer: Peer) -> None:
    """As by image_transport, whose users remap `image` alone."""
    node = reliable_peer.node
    with start("-r", "__ns:=/front", "-r", "image:=image_raw"):
        reliable_peer.spin_until(lambda: node.count_publishers("/front/image_raw") == 1)
        reliable_peer.spin_until(lambda: node.count_publishers("/front/image_raw/compressed") == 1)
        assert node.count_publishers("/front/image/compressed") == 0


def test_the_pose_of_a_moving_camera_is_published(reliable_peer: Peer) -> None:
    with start(camera_motion="drive", rendering="live", background="plain", people=0):
        optical = transforms_of(reliable_peer, "/tf_static", 1)
        poses = [transforms_of(reliable_peer, "/tf", 1)["map", "camera_link"] for _ in range(3)]
    assert list(optical) == [("camera_link", "camera_optical_frame")]
    assert len({tuple(pose[:3, 3]) for pose in poses}) > 1


def test_without_a_world_there_are_no_transforms(reliable_peer: Peer) -> None:
    heard: list[TFMessage] = []
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    reliable_peer.node.create_subscription(TFMessage, "/tf_static", heard.append, qos)
    with start(world_frame="''"):  # as YAML
        Viewer(reliable_peer).wait_for(2)
    assert heard == []


def test_publishing_stops_after_the_duration(reliable_peer: Peer) -> None:
    viewer = Viewer(reliable_peer)
    with start(duration=3.0) as node:
        viewer.wait_for(1)
        node.wait_for("the duration is over")
        spin_for(reliable_peer, 0.5)
        count = len(viewer.got["image"])
        spin_for(reliable_peer, 0.5)
        assert node.stop()[0] == 0
    assert len(viewer.got["image"]) == count <= 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_camera_stops_while_rendering_ahead(ros_domain: int, number: signal.Signals) -> None:
    with start(loop=100.0) as node:
        node.wait_for("rendering 1000 images ahead")
        status, output, seconds = node.stop(number)
    assert (status, "Traceback" in output, "publishing" in output) == (0, False, False)
    assert seconds < 10.0  # on a busy machine; rendering them all takes longer


def test_exceeding_the_memory_limit_is_reported(ros_domain: int) -> None:
    with start(loop=300.0, memory=100) as node:
        assert node.wait() == 1
    assert "must fit into 100 MB" in node.output
    assert "Traceback" not in node.output


def move_body(path: Path) -> None:
    builtin.BUILTIN_BODY_PATH = path


def test_a_missing_body_is_reported(ros_domain: int, tmp_path: Path) -> None:
    move = partial(move_body, tmp_path / "body.npz")
    with ForkedProgram("smpler_ros.synthetic_camera", change=move) as camera:
        assert camera.wait() == 1
    said = f"cannot configure: a SMPL file must be a file, got {tmp_path}/body.npz; give"
    assert said in camera.output
    assert "Traceback" not in camera.output


def test_the_camera_s_lifecycle_can_be_repeated(reliable_peer: Peer) -> None:
    viewer = Viewer(reliable_peer)
    with start(background="plain", people=0) as node:
        for _ in range(2):
            viewer.wait_for(2)
            for transition in (
                Transition.TRANSITION_DEACTIVATE,
                Transition.TRANSITION_CLEANUP,
                Transition.TRANSITION_CONFIGURE,
                Transition.TRANSITION_ACTIVATE,
            ):
                assert change_state(reliable_peer, transition)
            for kept in viewer.got.values():
                kept.clear()
        viewer.wait_for(2)
        status, output, _ = node.stop()
    assert (status, "Traceback" in output) == (0, False)


def change_state(peer: Peer, transition: int) -> bool:
    client = peer.node.create_client(ChangeState, "/synthetic_camera/change_state")
    peer.spin_until(client.service_is_ready)
    future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
    peer.spin_until(future.done)
    return bool(future.result().success)


def spin_for(peer: Peer, seconds: float) -> None:
    end = time.monotonic() + seconds
    peer.spin_until(lambda: time.monotonic() > end)
