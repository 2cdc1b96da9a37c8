"""The same bag through the node and through `evaluate_bag` gives the same people."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage

from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import open_bag
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.frame_tree import links_of
from smpler_model.cameras.messages import stamp_ns_of
from smpler_model.frames import Frame, People, TranslationSource, details_of
from smpler_ros.bags.bag_run import evaluate_bag
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.camera.scene_bag import SceneBagSettings, write_scene_bag
from smpler_ros.messages.convert import header_message, transform_message
from smpler_ros.messages.images import camera_info_message, depth_message, image_message
from smpler_ros.messages.message_types import message_types_from_ros
from tests.ros.conftest import StartNode
from tests.ros.peer import Peer

SCENE = SceneBagSettings(
    duration=0.8, rate=10, width=320, height=240, people=1, image="raw", depth=True
)
PARAMETERS = {
    "model": "smpler_nano",  # an untrained network would put joints outside the depth image
    "detector": "person",
    "confirm_frames": 1,
    "threads": 1,
    "device": "cpu",
    "backend": "plain",
}


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "bag"
    write_scene_bag(path, Body(load_builtin_body()), SCENE)
    return path


@pytest.fixture(scope="module")
def driving_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag with a camera that moves in the frame `map`."""
    path = tmp_path_factory.mktemp("bags") / "driving"
    scene = replace(SCENE, depth=False, camera_motion="drive")
    write_scene_bag(path, Body(load_builtin_body()), scene)
    return path


def play(
    bag: Path,
    peer: Peer,
    start_node: StartNode,
    *,
    late_depth: bool = False,
    fixed_frame: str = "",
    use_floor: bool = False,
) -> dict[int, People]:
    """Publish the bag's images, each after the answer to the previous one.

    With a fixed frame, the camera's transform is published a little later than each image.

    Args:
        bag: bag to play.
        peer: peer that publishes.
        start_node: starts the node.
        late_depth: whether to publish depth as well, that of each image after the next image.
        fixed_frame: the node's.
        use_floor: the node's.
    """
    types = message_types_from_ros(serialize_message)

    def send(frame: Frame) -> None:
        assert frame.camera is not None
        header = header_message(types, frame.stamp_ns, frame.frame_id)
        peer.camera_infos.publish(camera_info_message(types, header, frame.camera))
        time.sleep(0.3)  # other topics may overtake; the calibration must arrive first
        peer.images.publish(image_message(types, header, frame.rgb))
        if fixed_frame:
            time.sleep(0.04)
            send_pose(frame)

    def send_pose(frame: Frame) -> None:
        header = header_message(types, frame.stamp_ns, fixed_frame)
        pose = transform_message(types, header, frame.frame_id, poses[frame.stamp_ns])
        transforms.publish(types.tf_message(transforms=[pose]))

    def send_depth(frame: Frame) -> None:
        assert frame.depth_m is not None
        time.sleep(0.04)
        header = header_message(types, frame.stamp_ns, frame.frame_id)
        depths.publish(depth_message(types, header, frame.depth_m))

    depths = peer.node.create_publisher(Image, "depth", 5)
    transforms = peer.node.create_publisher(TFMessage, "/tf", 10)
    poses: dict[int, np.ndarray] = {}
    values: dict[str, object] = {
        "use_depth": late_depth,
        "use_floor": use_floor,
        "transform_wait": 2.0,
    }
    values |= {"fixed_frame": fixed_frame} if fixed_frame else {}
    with open_bag(bag) as reader, start_node(**PARAMETERS, **values):
        for each in reader.read_messages(["/tf"]):
            poses |= {link.stamp_ns: link.matrix for link in links_of(each.message)}
        wait_for_node(peer, "/depth" if late_depth else "", transforms if fixed_frame else None)
        frames = [frame for _, frame in reader.read_frames(reader.cameras)]
        if fixed_frame:
            send_pose(frames[0])  # images wait only for frames that are known
        for count, frame in enumerate(frames):
            send(frame)
            if late_depth and count:
                send_depth(frames[count - 1])
            done = count if late_depth else count + 1
            peer.spin_until(lambda: len(peer.people) >= done)  # noqa: B023
        if late_depth:
            send_depth(frames[-1])
            peer.spin_until(lambda: len(peer.people) >= len(frames))
    return {stamp_ns_of(message): people_from_message(message) for message in peer.people}


def wait_for_node(peer: Peer, depth: str, transforms: Any) -> None:  # noqa: ANN401 - a publisher
    """Wait until the node subscribes to everything."""
    peer.wait_for_reliable_node()
    if depth:
        peer.wait_for_reliable_node(depth)
    peer.spin_until(lambda: peer.camera_infos.get_subscription_count() > 0)
    peer.spin_until(lambda: peer.node.count_publishers("people") > 0)
    if transforms:
        peer.spin_until(lambda: transforms.get_subscription_count() > 0)
    time.sleep(1.0)  # discovery is complete slightly before both ends report it


def evaluate(
    bag: Path,
    folder: Path,
    *,
    use_depth: bool = False,
    fixed_frame: str = "",
    use_floor: bool = False,
) -> dict[int, People]:
    values = {
        "outputs": ("people",),
        "truth": "none",
        "use_depth": use_depth,
        "fixed_frame": fixed_frame,
        "use_floor": use_floor,
        **PARAMETERS,
    }
    evaluate_bag(bag, folder, EvaluationSettings.from_values(values))
    with open_bag(folder / "bag") as reader:
        return {
            each.time_ns: people_from_message(each.message)
            for each in reader.read_messages(["/camera/people"])
        }


@pytest.mark.parametrize("depth", [False, True], ids=["without depth", "with late depth"])
def test_live_and_offline_people_are_equal(
    bag: Path,
    reliable_peer: Peer,
    start_node: StartNode,
    tmp_path: Path,
    depth: bool,
) -> None:
    live = play(bag, reliable_peer, start_node, late_depth=depth)
    offline = evaluate(bag, tmp_path / "out", use_depth=depth)
    assert list(live) == list(offline)
    assert len(live) == SCENE.frames
    assert all(len(people) == 1 for people in live.values())
    by_depth = [people.sources.tolist() == [TranslationSource.DEPTH] for people in live.values()]
    assert by_depth == [depth] * SCENE.frames
    assert_equal(live, offline)


def test_live_and_offline_people_are_equal_in_a_fixed_frame(
    driving_bag: Path, reliable_peer: Peer, start_node: StartNode, tmp_path: Path
) -> None:
    live = play(driving_bag, reliable_peer, start_node, fixed_frame="map", use_floor=True)
    offline = evaluate(driving_bag, tmp_path / "out", fixed_frame="map", use_floor=True)
    assert list(live) == list(offline)
    assert all(people.footprints_m is not None for people in live.values())
    assert all(people.footprints_m is not None for people in offline.values())
    assert all(people.motion is not None for people in live.values())
    assert_equal(live, offline)
    other = evaluate(driving_bag, tmp_path / "other", fixed_frame="odom")
    assert all(people.motion is None for people in other.values())
    summary = json.loads((tmp_path / "other" / "summary.json").read_text())
    (missing,) = summary["images_without_pose"]
    assert (missing["count"], missing["topic"]) == (SCENE.frames, "/camera/image_raw")
    assert "unknown: there is no frame 'odom'" in missing["reason"]
    without = evaluate(driving_bag, tmp_path / "without")
    for stamp, people in without.items():
        for name, values in vars(people).items():
            np.testing.assert_array_equal(getattr(other[stamp], name), values)


def assert_equal(live: dict[int, People], offline: dict[int, People]) -> None:
    for stamp, people in live.items():
        ours = vars(people) | details_of(people)
        for name, values in (vars(offline[stamp]) | details_of(offline[stamp])).items():
            if values is not None and name != "motion":
                np.testing.assert_allclose(ours[name], values, rtol=1e-5, atol=1e-5, err_msg=name)
