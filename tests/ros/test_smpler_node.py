"""The node over real rclpy and Fast DDS."""

import signal
import time
from collections.abc import Iterator

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from smpler_ros.messages.markers import DELETEALL
from tests.ros.conftest import StartNode, reserve_domain
from tests.ros.impatient_node import IMPATIENT
from tests.ros.node_process import NodeProcess
from tests.ros.peer import Peer

REQUEST_AGAIN_S = 5.0


def call(peer: Peer, kind: type, name: str, request: object) -> object:
    client = peer.node.create_client(kind, name)
    peer.spin_until(client.service_is_ready)
    future = client.call_async(request)
    peer.spin_until(future.done)
    return future.result()


def state_of(peer: Peer) -> int:
    return call(peer, GetState, "/smpler_node/get_state", GetState.Request()).current_state.id


def change_state(peer: Peer, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return call(peer, ChangeState, "/smpler_node/change_state", request).success


@pytest.mark.parametrize("camera", ["peer", "reliable_peer"])
def test_image_in_people_out(
    camera: str, start_node: StartNode, request: pytest.FixtureRequest
) -> None:
    peer: Peer = request.getfixturevalue(camera)
    with start_node(backend="auto"):
        peer.wait_for_node()
        peer.exchange(seconds=16)
        people = peer.exchange(seconds=17)
    assert people.header.stamp in peer.sent
    assert people.header.frame_id == "camera_optical_frame"
    (person,) = people.people
    assert list(person.box_xyxy) == [0, 0, 63, 47]
    assert people.model == "seeded"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly_on_a_signal(
    peer: Peer, start_node: StartNode, number: signal.Signals
) -> None:
    markers: list[MarkerArray] = []
    peer.node.create_subscription(MarkerArray, "mesh_markers", markers.append, 10)
    with start_node() as node:
        peer.wait_for_node()
        peer.exchange(seconds=1)
        status, output, seconds = node.stop(number)
    peer.spin_until(lambda: any(m.action == DELETEALL for a in markers for m in a.markers))
    assert status == 0
    assert "Traceback" not in output
    assert seconds < 5.0


def test_stops_while_loading(ros_domain: int, start_node: StartNode) -> None:
    with start_node(backend="auto") as node:
        node.wait_for("loading the model")
        status, output, seconds = node.stop()
    assert (status, "Traceback" in output, "waiting for images" in output) == (0, False, False)
    assert seconds < 5.0


def test_stops_while_a_lifecycle_manager_configures_it(peer: Peer, start_node: StartNode) -> None:
    with start_node(autostart=False, backend="auto") as node:
        client = peer.node.create_client(ChangeState, "/smpler_node/change_state")
        peer.spin_until(client.service_is_ready)
        transition = Transition(id=Transition.TRANSITION_CONFIGURE)
        # A service may be ready before it hears every client: the first request can be lost.
        asked = time.monotonic() - REQUEST_AGAIN_S

        def is_loading() -> bool:
            nonlocal asked
            if time.monotonic() - asked > REQUEST_AGAIN_S:
                client.call_async(ChangeState.Request(transition=transition))
                asked = time.monotonic()
            return "loading the model" in node.output

        peer.spin_until(is_loading)
        status, output, seconds = node.stop()
    assert (status, "Traceback" in output) == (0, False)
    assert seconds < 5.0


def test_stops_cleanly_while_images_stream(peer: Peer, start_node: StartNode) -> None:
    with start_node() as node:
        peer.wait_for_node()
        for second in range(50):
            peer.publish_image(second)
        status, output, seconds = node.stop()
    assert (status, "Traceback" in output, seconds < 5.0) == (0, False, True)


def test_killed_and_restarted(peer: Peer, start_node: StartNode) -> None:
    with start_node() as node:
        peer.wait_for_node()
        peer.exchange(seconds=1)
        node.stop(signal.SIGKILL)
    with start_node():
        assert peer.exchange(seconds=2).header.stamp.sec == 2


def test_waits_for_a_lifecycle_manager_without_autostart(
    peer: Peer, start_node: StartNode
) -> None:
    with start_node(autostart=False):
        assert state_of(peer) == State.PRIMARY_STATE_UNCONFIGURED
        assert change_state(peer, Transition.TRANSITION_CONFIGURE)
        assert state_of(peer) == State.PRIMARY_STATE_INACTIVE
        assert peer.images.get_subscription_count() == 0
        assert change_state(peer, Transition.TRANSITION_ACTIVATE)
        peer.exchange(seconds=3)


@pytest.mark.parametrize(
    ("cameras", "sentence"),
    [
        (
            "[left, right-eye]",
            "cameras must be names of letters, digits, _ and /, with no digit after a /, got "
            "'right-eye'; rename this camera",
        ),
        (
            "[front, front/]",
            "cameras must name each camera once, got ['front', 'front/']; give every camera a "
            "namespace of its own",
        ),
    ],
)
def test_invalid_camera_names_are_refused_before_loading(
    ros_domain: int, start_node: StartNode, cameras: str, sentence: str
) -> None:
    with start_node(cameras=cameras, model="missing.pt") as node:
        assert node.wait() == 1
    assert f"cannot configure: {sentence}" in node.output
    assert "missing.pt" not in node.output
    assert "Traceback" not in node.output


def test_the_lifecycle_can_be_repeated(peer: Peer, start_node: StartNode) -> None:
    with start_node() as node:
        peer.exchange(seconds=1)
        for round_ in range(2):
            assert change_state(peer, Transition.TRANSITION_DEACTIVATE)
            peer.wait_for_no_node()
            assert change_state(peer, Transition.TRANSITION_CLEANUP)
            assert state_of(peer) == State.PRIMARY_STATE_UNCONFIGURED
            assert change_state(peer, Transition.TRANSITION_CONFIGURE)
            assert change_state(peer, Transition.TRANSITION_ACTIVATE)
            peer.exchange(seconds=2 + round_)
        status, output, _ = node.stop()
    assert (status, "Traceback" in output) == (0, False)


def test_the_process_responds_after_lifecycle_shutdown(peer: Peer, start_node: StartNode) -> None:
    with start_node() as node:
        peer.exchange(seconds=1)
        assert change_state(peer, Transition.TRANSITION_ACTIVE_SHUTDOWN)
        assert state_of(peer) == State.PRIMARY_STATE_FINALIZED
        assert node.stop()[0] == 0


def test_images_larger_than_the_default_shared_memory_arrive_from_a_reliable_camera(
    reliable_peer: Peer, start_node: StartNode
) -> None:
    with start_node():
        reliable_peer.wait_for_reliable_node()
        for second in range(30):
            reliable_peer.publish_image(second, height=480, width=640)
            reliable_peer.spin_until(lambda: len(reliable_peer.people) > second)  # noqa: B023
    assert [people.header.stamp.sec for people in reliable_peer.people] == list(range(30))


def test_images_without_a_timestamp_get_that_of_their_arrival(
    peer: Peer, start_node: StartNode
) -> None:
    image = Image(height=48, width=64, encoding="rgb8", step=192, data=bytes(48 * 64 * 3))

    def have_three_come() -> bool:
        peer.images.publish(image)
        return sum(bool(people.people) for people in peer.people) >= 3

    with start_node() as node:
        peer.wait_for_node()
        peer.spin_until(have_three_come)
        node.wait_for("images on /image have no timestamp")
    assert all(people.header.stamp.sec > 1_700_000_000 for people in peer.people)


def test_images_without_a_timestamp_before_simulated_time_starts(
    peer: Peer, start_node: StartNode
) -> None:
    image = Image(height=48, width=64, encoding="rgb8", step=192, data=bytes(48 * 64 * 3))

    def have_three_come() -> bool:
        peer.images.publish(image)
        return sum(bool(people.people) for people in peer.people) >= 3

    with start_node(use_sim_time=True) as node:
        peer.wait_for_node()
        peer.spin_until(have_three_come)
        node.wait_for("get the wall clock's time of their arrival")
        node.wait_for("publish /clock or leave use_sim_time false")
        node.wait_for("got an empty frame_id, and results use 'camera'")
    assert all(people.header.stamp.sec > 1_700_000_000 for people in peer.people)
    assert {people.header.frame_id for people in peer.people} == {"camera"}


@pytest.fixture(scope="module")
def impatient(start_node: StartNode) -> Iterator[NodeProcess]:
    """A node whose cameras have no publisher, only compressed images, and another type."""
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.BEST_EFFORT)
        for topic in ("packed/compressed", "other"):
            peer.node.create_publisher(CompressedImage, topic, 1)
        topics = {"a/image": "elsewhere", "b/image": "packed", "c/image": "other"}
        remaps = [word for pair in topics.items() for word in ("-r", ":=".join(pair))]
        with start_node(*remaps, cameras="[a, b, c]", module=IMPATIENT) as node:
            yield node
        peer.close()


def test_a_missing_publisher_is_explained(impatient: NodeProcess) -> None:
    impatient.wait_for("no image on /elsewhere for 2 s and it has no publisher")


def test_compressed_images_on_another_topic_are_explained(impatient: NodeProcess) -> None:
    impatient.wait_for(
        "no image on /packed for 2 s and it has no publisher, but /packed/compressed "
        "has one: set image_transport to compressed"
    )


def test_another_message_type_is_explained(impatient: NodeProcess) -> None:
    impatient.wait_for("published by /peer (sensor_msgs/msg/CompressedImage, reliable)")
