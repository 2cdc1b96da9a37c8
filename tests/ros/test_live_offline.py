"""The same bag through the node and through `evaluate_bag` gives the same people."""

import time
from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import open_bag
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.messages import stamp_ns_of
from smpler_model.frames import Frame, People, TranslationSource
from smpler_ros.bags.bag_run import evaluate_bag
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.camera.scene_bag import SceneBagSettings, write_scene_bag
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.images import camera_info_message, depth_message, image_message
from smpler_ros.messages.message_types import message_types_from_ros
from tests.ros.conftest import StartNode
from tests.ros.peer import Peer

SCENE = SceneBagSettings(
    duration=0.8, rate=10, width=160, height=120, people=2, image="raw", depth=True
)
PARAMETERS = {
    "model": "smpler_nano",  # an untrained network would put joints outside the depth image
    "detector": "full_image",
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


def play(
    bag: Path, peer: Peer, start_node: StartNode, *, late_depth: bool = False
) -> dict[int, People]:
    """Publish the bag's images, each after the answer to the previous one.

    Args:
        bag: bag to play.
        peer: peer that publishes.
        start_node: starts the node.
        late_depth: whether to publish depth as well, that of each image after the next image.
    """
    types = message_types_from_ros(serialize_message)

    def send(frame: Frame) -> None:
        assert frame.camera is not None
        header = header_message(types, frame.stamp_ns, frame.frame_id)
        peer.camera_infos.publish(camera_info_message(types, header, frame.camera))
        time.sleep(0.3)  # other topics may overtake; the calibration must arrive first
        peer.images.publish(image_message(types, header, frame.rgb))

    def send_depth(frame: Frame) -> None:
        assert frame.depth_m is not None
        time.sleep(0.04)
        header = header_message(types, frame.stamp_ns, frame.frame_id)
        depths.publish(depth_message(types, header, frame.depth_m))

    depths = peer.node.create_publisher(Image, "depth", 5)
    with open_bag(bag) as reader, start_node(**PARAMETERS, use_depth=late_depth):
        peer.wait_for_reliable_node()
        if late_depth:
            peer.wait_for_reliable_node("/depth")
        peer.spin_until(lambda: peer.camera_infos.get_subscription_count() > 0)
        peer.spin_until(lambda: peer.node.count_publishers("people") > 0)
        time.sleep(1.0)  # discovery is complete slightly before both ends report it
        frames = [frame for _, frame in reader.read_frames(reader.cameras)]
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


def evaluate(bag: Path, folder: Path, *, use_depth: bool) -> dict[int, People]:
    values = {"outputs": ("people",), "use_depth": use_depth, **PARAMETERS}
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
    for stamp, people in live.items():
        for name, values in vars(offline[stamp]).items():
            if values is not None:
                np.testing.assert_allclose(getattr(people, name), values, rtol=1e-5, atol=1e-5)
