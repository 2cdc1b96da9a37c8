"""Resources of a configured node: the pipeline and the publishers of every camera."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.serialization import serialize_message
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from smpler_model.assembly import build_pipeline, pipeline_config
from smpler_model.cameras.frame_reader import ImageSettings
from smpler_model.frames import Frame, FrameResult
from smpler_model.inference.self_check import Checked
from smpler_model.people.tracker import IdSource
from smpler_model.pipeline import Pipeline
from smpler_model.step_times import StepTimes
from smpler_model.views.fuser import ViewFuser
from smpler_model.views.posing import BodyJoints
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.messages.convert import frame_prefix
from smpler_ros.messages.message_types import message_types_from_ros
from smpler_ros.node.frame_worker import FrameWorker
from smpler_ros.node.statistics import Statistics
from smpler_ros.outputs.camera_output import (
    TF_DEPTH,
    CameraOutput,
    LiveOutput,
    TopicOutputs,
)
from smpler_ros.outputs.fused_output import FusedOutput
from smpler_ros.outputs.hri_output import HriOutput
from smpler_ros.outputs.planner_output import PlannerOutput
from smpler_ros.parameters.node_settings import NodeSettings

_MIB = 1024**2


@dataclass(frozen=True)
class Published:
    """Measurements of a published image.

    Attributes:
        people: number of people.
        stamp_ns: timestamp of the image.
        age_ms: time from that timestamp until the people were published.
        steps_ms: duration of every step.
    """

    people: int
    stamp_ns: int
    age_ms: float
    steps_ms: dict[str, float]


@dataclass(frozen=True)
class PeopleIds:
    """Where people's ids come from, which go on from session to session.

    Attributes:
        tracks: for the tracks of all cameras.
        fused: for fused people.
    """

    tracks: IdSource = field(default_factory=IdSource)
    fused: IdSource = field(default_factory=IdSource)


class Session:
    """The resources of a node from configure to cleanup.

    Attributes:
        cameras: names of all cameras.
        statistics: statistics of all cameras.
        warning: what is wrong for as long as the session lives; empty if nothing is.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: NodeSettings,
        report: Callable[[str, str], None],
        ids: PeopleIds | None = None,
    ) -> None:
        """Load the model and the detector, and create the publishers.

        Args:
            node: publishing node.
            settings: settings of the node.
            report: called with a camera's name and a message.
            ids: where people's ids come from; they start at 0 if None.

        Raises:
            ValueError: unusable settings or files.
            OSError: a file that cannot be read.
            ImportError: a message package that is missing.
        """
        self.cameras = settings.cameras
        self.statistics = Statistics()
        for name in self.cameras:
            self.statistics.add_camera(name)
        self.warning = ""
        self._names = {"model": settings.model, "detector": settings.detector}
        self._report = report
        self._ids = ids or PeopleIds()
        pipeline = build_pipeline(
            settings,
            cameras=len(self.cameras),
            tell=self._note_check,
            ids=self._ids.tracks,
        )
        self._device = pipeline.estimator.device
        if settings.device == "auto" and not torch.cuda.is_available():
            report("", "no GPU is usable by PyTorch: the network runs on the CPU")
        self._worker = FrameWorker(
            pipeline,
            self.statistics,
            report,
            images=ImageSettings(rectified=settings.rectified, yuv422=settings.yuv422),
            person_labels=settings.person_labels,
        )
        self._live = live_output(settings, node.get_namespace())
        self._node = node
        self._transforms: LifecyclePublisher[Any] = node.create_lifecycle_publisher(
            TFMessage, "/tf", TF_DEPTH
        )
        self._outputs: dict[str, CameraOutput] = {}
        self._fuser: ViewFuser | None = None
        self._fused: FusedOutput | None = None
        try:
            self._create_outputs(settings, pipeline)
        except Exception:
            self.close()
            raise

    def _note_check(self, checked: Checked) -> None:
        self.warning = checked.warning
        self._names |= {
            "backend": str(checked.estimator.choice),
            "backend's error": str(checked.deviation),
            "backend, one person (ms)": f"{checked.one_person_ms:.1f}",
        }
        if checked.warning:
            self._report("", checked.warning)

    def _create_outputs(self, settings: NodeSettings, pipeline: Pipeline) -> None:
        types = message_types_from_ros(serialize_message)
        config = TopicOutputs(
            model=Path(settings.model).stem,
            faces=pipeline.estimator.model.body.faces.cpu().numpy(),
            marker_lifetime_s=settings.marker_lifetime,
            mesh_opacity=settings.mesh_opacity,
            own_subscriptions=int(bool(settings.fixed_frame)),
        )
        for name in self.cameras:
            output = CameraOutput(self._node, name, types, config, self._transforms)
            self._outputs[name] = output  # first, so that it is closed if another fails
            output.add(PlannerOutput(self._node, name, types))
            if settings.publish_hri:
                output.add(
                    HriOutput(self._node, name, types, self._transforms, config.own_subscriptions)
                )
        if settings.fusion_tolerance:
            pose = BodyJoints(pipeline.estimator.model.body)
            self._fuser = ViewFuser(
                *(self.cameras, settings.fusion_tolerance, pose, self._report),
                absence_s=pipeline.config.absence_s,
                ids=self._ids.fused,
            )
            self._fused = FusedOutput(
                self._node, types, self._fuser, config, self._transforms, pipeline.add_mesh
            )

    def process(self, arrivals: Mapping[str, Arrival]) -> Iterator[tuple[str, Published]]:
        """Find people, publish them, and return the measurements of each camera.

        A camera whose results cannot be published is reported and left out; the others continue.
        People of several cameras are fused after that, if the fused topics have subscribers.
        """
        live = self._live
        mesh = [name for name in arrivals if self._outputs[name].needs_mesh(live)]
        done = self._worker.process(arrivals, mesh=mesh)
        for name, (frame, result) in done.items():
            try:
                published = self._publish(name, frame, result, live)
            except Exception as error:
                self._fail(name, f"results were not published: {type(error).__name__}: {error}")
                continue
            yield name, published
        if self._fused is not None:
            self._fuse(self._fused, {name: result for name, (_, result) in done.items()}, live)

    def _fuse(
        self, fused: FusedOutput, results: Mapping[str, FrameResult], live: LiveOutput
    ) -> None:
        try:
            fused.publish(results, live)
        except Exception as error:  # each camera's people are already published
            self._report("", f"people were not fused: {type(error).__name__}: {error}")

    def _publish(
        self, name: str, frame: Frame, result: FrameResult, live: LiveOutput
    ) -> Published:
        output = self._outputs[name]
        times = StepTimes()
        times.add(result.timings_ms)
        times.frames = 1
        with times.measure("publish"):
            output.publish_people(result, live)
            for fault in output.publish_others(result):
                self._fail(name, fault)
        clock = self._node.get_clock()
        age = clock.now() - Time(nanoseconds=result.stamp_ns, clock_type=clock.clock_type)
        with times.measure("views"):
            try:
                output.publish_views(frame, result, live)
            except Exception as error:  # people are already published
                self._fail(name, f"markers or overlay failed: {type(error).__name__}: {error}")
        return Published(
            len(result.people), result.stamp_ns, age.nanoseconds / 1e6, times.means_ms()
        )

    def _fail(self, name: str, sentence: str) -> None:
        self.statistics.fail(name, sentence)
        self._report(name, sentence)

    def reconfigure(self, settings: NodeSettings) -> None:
        """Use the live parameters of new settings from the next image on."""
        config = pipeline_config(settings)
        self._worker.reconfigure(config)
        if self._fuser is not None:
            self._fuser.absence_s = config.absence_s
        self._live = live_output(settings, self._node.get_namespace())

    def facts(self) -> dict[str, str]:
        """Return diagnostic values that are not statistics: names, device, its memory."""
        memory = ""
        if self._device.type == "cuda":
            memory = f"{torch.cuda.memory_reserved(self._device) / _MIB:.0f}"
        fused = {} if self._fused is None else self._fused.facts()
        own = {"device": str(self._device), "GPU memory (MiB)": memory}
        return {**self._names, **own, **fused}

    def clear(self, stamp_ns: int) -> None:
        """Delete all markers."""
        for output in self._outputs.values():
            output.clear(stamp_ns)
        if self._fused is not None:
            self._fused.clear(stamp_ns)

    def close(self) -> None:
        """Destroy the publishers."""
        for output in self._outputs.values():
            output.close()
        if self._fused is not None:
            self._fused.close()
        self._node.destroy_lifecycle_publisher(self._transforms)


def live_output(settings: NodeSettings, namespace: str) -> LiveOutput:
    """Return the live output settings of a node in a namespace."""
    return LiveOutput(
        tf=settings.publish_tf,
        tf_prefix=frame_prefix(settings.tf_prefix, namespace),
        tf_confidence=settings.tf_confidence,
        vertices=settings.publish_vertices,
        overlay_mesh=settings.overlay_mesh,
        jpeg_quality=settings.jpeg_quality,
    )
