"""The resources of a configured node, in this process."""

from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from smpler_model.frames import FrameResult
from smpler_model.inference import estimator
from smpler_model.inference.backends import Choice, build_runner
from smpler_model.inference.runners import Runner
from smpler_model.network.smpler import Smpler
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.message_types import message_types_from_ros
from smpler_ros.node.diagnostics import diagnostic_array
from smpler_ros.node.session import Session
from smpler_ros.node.smpler_node import SmplerNode
from smpler_ros.outputs.camera_output import CameraOutput
from smpler_ros.outputs.hri_output import HriOutput
from smpler_ros.outputs.planner_output import PlannerOutput
from smpler_ros.parameters.node_settings import NodeSettings
from tests.random_people import random_result
from tests.smpler_model.views.test_fusion import scene


@pytest.fixture
def node(ros_domain: int) -> Iterator[LifecycleNode]:
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = LifecycleNode("session", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def settings(checkpoint: Path) -> NodeSettings:
    return NodeSettings(
        model=str(checkpoint), detector="full_image", cameras=("left", "right"), device="cpu"
    )


def grey_image(seconds: int) -> Image:
    image = Image(height=48, width=64, encoding="rgb8", step=192)
    image.data = array("B", bytes([127])) * (48 * 192)
    image.header.frame_id = "camera_optical_frame"
    image.header.stamp.sec = seconds
    return image


def test_failed_publishing_does_not_affect_other_cameras(
    node: LifecycleNode, settings: NodeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, said = CameraOutput.publish_people, list[tuple[str, str]]()
    session = Session(node, settings, lambda camera, text: said.append((camera, text)))
    broken = session._outputs["left"]

    def publish_or_fail(output: CameraOutput, *arguments: object) -> None:
        if output is broken:
            raise RuntimeError("no memory left for a message")
        publish(output, *arguments)

    monkeypatch.setattr(CameraOutput, "publish_people", publish_or_fail)
    done = dict(session.process({name: Arrival(grey_image(1)) for name in ("left", "right")}))
    reports = session.statistics.report({})
    session.close()
    assert set(done) == {"right"}
    assert set(done["right"].steps_ms) >= {"read", "estimate", "publish", "views"}
    assert (reports["left"].failed, reports["right"].failed) == (1, 0)
    assert (
        "left",
        "results were not published: RuntimeError: no memory left for a message",
    ) in said


def test_an_output_that_fails_holds_up_no_other(
    node: LifecycleNode, settings: NodeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planners come before what people look at, and neither needs the other."""
    called, said = list[str](), list[tuple[str, str]]()
    session = Session(node, settings, lambda camera, text: said.append((camera, text)))

    def fail(output: PlannerOutput, *_: object) -> None:
        called.append("planners")
        raise RuntimeError("no memory left for a message")

    monkeypatch.setattr(PlannerOutput, "publish", fail)
    monkeypatch.setattr(CameraOutput, "publish_views", lambda *_: called.append("views"))
    done = dict(session.process({"left": Arrival(grey_image(1))}))
    session.close()
    assert set(done) == {"left"}
    assert called == ["planners", "views"]
    assert said[-1] == (
        "left",
        "people/poses, people/boxes and people/velocities were not published: RuntimeError: no "
        "memory left for a message",
    )


def test_a_failed_session_leaves_no_publishers(
    node: LifecycleNode, settings: NodeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {publisher.topic for publisher in node.publishers}

    def missing(name: str) -> None:
        raise ImportError(f"no {name}")

    monkeypatch.setattr("smpler_ros.outputs.hri_output.import_message_class", missing)
    with pytest.raises(ImportError, match="publish_hri needs the package hri_msgs"):
        Session(node, replace(settings, publish_hri=True), lambda *_: None)
    assert {publisher.topic for publisher in node.publishers} == before


def test_bodies_come_and_go_without_event_handlers(node: LifecycleNode) -> None:
    """The executor would wait for them, and fail if one is destroyed meanwhile."""
    types = message_types_from_ros(serialize_message)
    transforms = node.create_lifecycle_publisher(TFMessage, "/tf", 10)
    output = HriOutput(node, "", types, transforms, own_subscriptions=0)
    publishers, waitables = len(list(node.publishers)), list(node.waitables)
    for people in (2, 0):
        output.publish(header_message(types, 1, "camera"), random_result(people))
        assert len(list(node.publishers)) == publishers + 2 * people
        assert list(node.waitables) == waitables
    output.close()


def test_a_backend_that_fails_is_named_in_log_and_diagnostics(
    node: LifecycleNode, settings: NodeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(model: Smpler, choice: Choice) -> Runner:
        if choice.backend == "onnxruntime":
            raise RuntimeError("this processor has no such instructions")
        return build_runner(model, choice)

    said = list[tuple[str, str]]()
    monkeypatch.setattr(estimator, "build_runner", build)
    session = Session(node, settings, lambda camera, text: said.append((camera, text)))
    session.statistics.receive("left")
    reports, facts = session.statistics.report({}), session.facts()
    array = diagnostic_array(Header(), "/session", reports, facts, session.warning)
    session.close()
    (warning,) = [text for camera, text in said if not camera and "self-check" in text]
    assert "onnxruntime in float32 fails: RuntimeError: this processor has no such" in warning
    left, right = array.status
    assert (left.level, left.message) == (DiagnosticStatus.WARN, warning)
    assert (right.level, right.message) == (DiagnosticStatus.STALE, "no images")
    values = {each.key: each.value for each in left.values}
    assert values["backend"] == "eager in float32"
    assert float(values["backend, one person (ms)"]) > 0


def test_no_id_is_reused_when_the_node_is_configured_again(
    default_context: None, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks, fused = list[int](), list[int]()

    def note(output: CameraOutput, result: FrameResult, *_: object) -> None:
        tracks.extend(result.people.ids.tolist())

    monkeypatch.setattr(CameraOutput, "publish_people", note)
    values = {
        "model": str(checkpoint),
        "detector": "full_image",
        "confirm_frames": 1,
        "backend": "plain",
        "device": "cpu",
        "cameras": ["left", "right"],
        "fixed_frame": "map",
        "fusion_tolerance": 0.02,
    }
    node = SmplerNode()
    parameters = [Parameter(name, value=value) for name, value in values.items()]
    assert node.set_parameters_atomically(parameters).successful
    for second in (1, 2):
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        session = node._session
        assert session is not None
        assert session._fuser is not None
        assert list(dict(session.process({"left": Arrival(grey_image(second))}))) == ["left"]
        views = dict(zip(session.cameras, scene(3, 2, 0.0), strict=True))
        fused += [id_ for each in session._fuser.fuse(views) for id_ in each.people.ids.tolist()]
        assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
    node.destroy_node()
    assert tracks == [0, 1]
    assert fused == [0, 1, 2, 3, 4, 5]
