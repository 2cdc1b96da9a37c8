"""Processes images between arrival and publication, without ROS."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from smpler_model.bags.stamp_order import check_order
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.frame_reader import FrameReader, ImageSettings
from smpler_model.cameras.messages import Message
from smpler_model.detectors.detector import Detections, GivenBoxes
from smpler_model.frames import Frame, FrameResult
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_model.pipeline import Pipeline
from smpler_model.step_times import measure
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.messages.boxes import BoxReader
from smpler_ros.node.statistics import Statistics


class FrameWorker:
    """Turns received images into results, and errors into log messages.

    State: that of the pipeline, and the settings for the next image. An error drops only the image
    in which it occurs.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        statistics: Statistics,
        report: Callable[[str, str], None],
        *,
        images: ImageSettings,
        person_labels: tuple[str, ...],
    ) -> None:
        """Create a worker.

        Args:
            pipeline: pipeline that finds people.
            statistics: receives the counts of errors and of images with depth.
            report: called with a camera's name and a message for each error or warning about the
                results.
            images: settings of the cameras' images.
            person_labels: labels of people in `detections`; boxes without a label are people too.
        """
        self._pipeline = pipeline
        self._statistics = statistics
        self._report = report
        self._images = images
        self._readers: dict[str, FrameReader] = {}
        self._box_readers: dict[str, BoxReader] = {}
        self._person_labels = person_labels
        self._wanted = pipeline.config
        self._calibration_said: dict[str, str] = {}

    def reconfigure(self, config: PipelineConfig) -> None:
        """Use new settings from the next images on. Returns at once, in any thread."""
        self._wanted = config

    def process(
        self, arrivals: Mapping[str, Arrival], *, mesh: Collection[str]
    ) -> dict[str, tuple[Frame, FrameResult]]:
        """Find the people in the newest image of each camera.

        Args:
            arrivals: newest images by camera.
            mesh: cameras for whose people meshes are computed.

        Returns:
            Results by camera, without cameras whose image failed.
        """
        wanted = self._wanted  # read once: another thread may replace it meanwhile
        if wanted is not self._pipeline.config:
            self._pipeline.reconfigure(wanted)
        frames: dict[str, Frame] = {}
        times_ms: dict[str, dict[str, float]] = {name: {} for name in arrivals}
        for name, arrival in arrivals.items():
            try:
                with measure(times_ms[name], "read"):
                    frames[name] = self._read(name, arrival)
            except Exception as error:
                self._fail(name, error)
        results = self._pipeline.process_batch(frames, mesh=mesh, report=self._fail)
        for name, result in results.items():
            self._statistics.leave_out(name, len(result.left_out))
            for sentence in dict.fromkeys(result.left_out):
                self._report(name, sentence)
        return {
            name: (
                frames[name],
                replace(result, timings_ms=times_ms[name] | result.timings_ms),
            )
            for name, result in results.items()
        }

    def _read(self, name: str, arrival: Arrival) -> Frame:
        frame = self._reader_of(name).read(arrival.image, arrival.camera_infos, arrival.depth)
        if arrival.wants_depth:
            self._statistics.read_depth(name, is_usable=frame.depth_m is not None)
        if arrival.pose is not None:
            frame = replace(frame, pose=arrival.pose)
        check_order(frame.stamp_ns, self._pipeline.camera(name).last_stamp_ns)
        self._say_calibration(name, arrival, is_missing=frame.camera is None)
        if arrival.detections is not None:
            detector = self._pipeline.camera(name).detector
            if isinstance(detector, GivenBoxes):
                size = frame.rgb.shape[1], frame.rgb.shape[0]
                detector.give(self._read_boxes(name, arrival.detections, size))
        return frame

    def _reader_of(self, name: str) -> FrameReader:
        if name not in self._readers:
            say = partial(self._report, name)
            self._readers[name] = FrameReader(self._images, say, name=name, is_live=True)
        return self._readers[name]

    def _read_boxes(self, name: str, message: Message, size: tuple[int, int]) -> Detections:
        if name not in self._box_readers:
            say = partial(self._report, name)
            self._box_readers[name] = BoxReader(self._person_labels, say)
        reader = self._box_readers[name]
        before = reader.left_out
        people = reader.read(message, size)
        self._statistics.leave_out_boxes(name, reader.left_out - before)
        return people

    def _say_calibration(self, name: str, arrival: Arrival, *, is_missing: bool) -> None:
        """Warn that there is no calibration, and again only after that has changed."""
        sentence = self._explain_missing_calibration(arrival) if is_missing else ""
        if sentence and sentence != self._calibration_said.get(name):
            self._report(name, sentence)
        self._calibration_said[name] = sentence

    def _explain_missing_calibration(self, arrival: Arrival) -> str:
        came = "one without a camera matrix" if arrival.camera_infos else "none"
        return (
            f"a calibration on camera_info was expected, {came} came: a field of view of "
            f"{self._pipeline.config.assumed_fov_deg:g} degrees is assumed and the results are "
            "marked; calibrate the camera or set the parameter fov"
        )

    def _fail(self, name: str, error: Exception) -> None:
        sentence = f"an image was dropped: {type(error).__name__}: {error}"
        if isinstance(error, ValueError | DeviceMemoryError):
            sentence = f"an image was dropped: {error}"
        self._statistics.fail(name, sentence)
        self._report(name, sentence)
