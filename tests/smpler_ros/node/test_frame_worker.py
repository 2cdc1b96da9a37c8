"""The frame worker, with messages as plain objects that have the fields of rclpy's and
rosbags'."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.frame_reader import ImageSettings
from smpler_model.detectors.detector import Detections, FullImageDetector, GivenBoxes
from smpler_model.frames import FrameResult, TranslationSource
from smpler_model.inference.device_memory import explain_memory
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.node.frame_worker import FrameWorker
from smpler_ros.node.statistics import Statistics
from tests.full_memory import SENTENCE, ask_for_too_much

AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1))


class Bench:
    """A worker, and its reports."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.reports: list[tuple[str, str]] = []
        self.statistics = Statistics()
        for name in ("left", "right"):
            self.statistics.add_camera(name)
        self.worker = FrameWorker(
            pipeline,
            self.statistics,
            lambda name, sentence: self.reports.append((name, sentence)),
            images=ImageSettings(),
            person_labels=("person",),
        )

    def failures(self, name: str) -> int:
        return self.statistics.report({})[name].failed


def header(seconds: int) -> SimpleNamespace:
    stamp = SimpleNamespace(sec=seconds, nanosec=0)
    return SimpleNamespace(stamp=stamp, frame_id="optical")


def image(seconds: int, *, encoding: str = "rgb8", step: int = 192) -> SimpleNamespace:
    return SimpleNamespace(
        header=header(seconds),
        height=48,
        width=64,
        encoding=encoding,
        step=step,
        is_bigendian=0,
        data=np.full(48 * 192, 90, np.uint8),
    )


def camera_info(width: int = 64) -> SimpleNamespace:
    return SimpleNamespace(
        header=header(0),
        height=48,
        width=width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([60.0, 0, 31.5, 0, 60.0, 23.5, 0, 0, 1]),
        r=np.eye(3).ravel(),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
    )


@pytest.fixture(scope="module")
def estimator(nano: Smpler) -> Estimator:
    return Estimator(nano, backend="plain")


@pytest.fixture
def bench(estimator: Estimator) -> Bench:
    return Bench(Pipeline(estimator, FullImageDetector, AT_ONCE))


def test_a_calibrated_image_gives_people(bench: Bench) -> None:
    for second in (1, 2):
        done = bench.worker.process({"left": Arrival(image(second), (camera_info(),))}, mesh=())
    frame, result = done["left"]
    assert frame.frame_id == "optical"
    assert result.people.sources.tolist() == [TranslationSource.BODY_SIZE]
    assert bench.reports == []


def test_a_missing_calibration_is_reported_once_and_again_after_a_change(bench: Bench) -> None:
    uncalibrated = camera_info()
    uncalibrated.k = np.zeros(9)
    came: list[tuple[SimpleNamespace, ...]] = [(), (), (camera_info(),), (), (uncalibrated,)]
    counts = []
    for second, infos in enumerate(came, 1):
        bench.worker.process({"left": Arrival(image(second), infos)}, mesh=())
        counts.append(len(bench.reports))
    assert counts == [1, 1, 1, 2, 3]
    assert "one without a camera matrix came" in bench.reports[-1][1]


def test_a_missing_calibration_is_reported(bench: Bench) -> None:
    for second in (1, 2):
        done = bench.worker.process({"left": Arrival(image(second))}, mesh=())
    assert done["left"][1].people.sources.tolist() == [TranslationSource.FIELD_OF_VIEW]
    name, sentence = bench.reports[0]
    assert name == "left"
    assert (
        "a calibration on camera_info was expected, none came: a field of view of 60" in sentence
    )


def test_depth_that_cannot_be_used_counts_as_missing(bench: Bench) -> None:
    """As that of a camera whose depth is not registered to the image."""
    unregistered = image(1, encoding="16UC1", step=64)
    unregistered.height, unregistered.width = 24, 32
    for second in (1, 2, 3):
        bench.statistics.receive("left")
        arrival = Arrival(image(second), (camera_info(),), unregistered, wants_depth=True)
        assert bench.worker.process({"left": arrival}, mesh=())
    report = bench.statistics.report({})["left"]
    assert report.without_depth == report.received == 3
    assert report.depth_share == 0
    assert len([sentence for _, sentence in bench.reports if "64x48, got 32x24" in sentence]) == 1


def test_depth_is_counted_only_if_it_is_requested(bench: Bench) -> None:
    depth = image(1, encoding="16UC1", step=128)
    bench.worker.process({"left": Arrival(image(1), depth=depth, wants_depth=True)}, mesh=())
    bench.worker.process({"right": Arrival(image(1))}, mesh=())
    reports = bench.statistics.report({})
    assert (reports["left"].without_depth, reports["left"].depth_share) == (0, 1)
    assert (reports["right"].without_depth, reports["right"].depth_share) == (0, None)


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (Arrival(image(1, encoding="rgb9")), "rgb9"),
        (Arrival(image(1, step=10)), "step"),
        (Arrival(image(1), (camera_info(width=640),)), "640x48"),
    ],
)
def test_a_fault_drops_only_its_own_image(bench: Bench, arrival: Arrival, reason: str) -> None:
    good = Arrival(image(1), (camera_info(),))
    done = bench.worker.process({"left": arrival, "right": good}, mesh=())
    assert list(done) == ["right"]
    assert bench.failures("left") == 1
    assert bench.failures("right") == 0
    ((name, sentence),) = [report for report in bench.reports if "dropped" in report[1]]
    assert name == "left"
    assert reason in sentence
    assert list(bench.worker.process({"left": good}, mesh=())) == ["left"]


def test_late_and_repeated_images_are_dropped_and_keep_tracks(bench: Bench) -> None:
    def send(seconds: int, nanoseconds: int) -> list[int]:
        message = image(seconds)
        message.header.stamp.nanosec = nanoseconds
        done = bench.worker.process({"left": Arrival(message, (camera_info(),))}, mesh=())
        return done["left"][1].people.ids.tolist() if done else []

    send(5, 0)
    ids = send(5, 33_000_000)
    assert ids
    assert send(5, 20_000_000) == []
    assert bench.reports == [
        (
            "left",
            "an image was dropped: images must come nearly in the order of their timestamps, got "
            "one that is up to 1000 ms late; it is left out",
        )
    ]
    assert send(5, 66_000_000) == ids
    assert send(5, 66_000_000) == []
    assert "images must have different timestamps" in bench.reports[-1][1]
    assert send(5, 99_000_000) == ids
    assert send(1, 0) != ids  # the clock was set back


class FullMemory(Estimator):
    """An estimator on a device without memory for even one person."""

    def estimate(self, crops: NDArray[np.uint8]) -> Estimates:
        with explain_memory("the network", self.device, "choose a smaller model"):
            ask_for_too_much()
        return super().estimate(crops)


class Slow(FullImageDetector):
    """A detector that blocks until it is released."""

    def __init__(self) -> None:
        self.began, self.may_go_on = threading.Event(), threading.Event()

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        self.began.set()
        assert self.may_go_on.wait(20)
        return super().detect(rgb)


def test_settings_change_without_waiting_for_the_current_image(estimator: Estimator) -> None:
    detector = Slow()
    pipeline = Pipeline(estimator, lambda: detector, AT_ONCE)
    worker = Bench(pipeline).worker
    done: list[FrameResult] = []

    def work(second: int) -> None:
        done.append(worker.process({"left": Arrival(image(second))}, mesh=())["left"][1])

    at_work = threading.Thread(target=work, args=(1,))
    at_work.start()
    assert detector.began.wait(20)
    changing = threading.Thread(
        target=worker.reconfigure, args=(replace(AT_ONCE, assumed_fov_deg=90.0),)
    )
    changing.start()
    changing.join(5)
    waits = changing.is_alive()
    detector.may_go_on.set()
    at_work.join()
    changing.join()
    work(2)
    assert not waits
    # For an image of 64 pixels; the image in progress keeps the 60 degrees with which it started.
    focal_px = [result.camera.fx for result in done]
    assert focal_px == pytest.approx([32 / np.tan(np.radians(30)), 32])


class Thrower(FullImageDetector):
    """A detector that fails."""

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        raise RuntimeError("the network is gone")


def test_a_full_gpu_drops_the_image(nano: Smpler) -> None:
    bench = Bench(Pipeline(FullMemory(nano, backend="plain"), FullImageDetector, AT_ONCE))
    assert bench.worker.process({"left": Arrival(image(1), (camera_info(),))}, mesh=()) == {}
    assert bench.failures("left") == 1
    assert bench.reports == [("left", f"an image was dropped: {SENTENCE}")]


class NothingFinite(Estimator):
    """An estimator that returns only non-finite values."""

    def estimate(self, crops: NDArray[np.uint8]) -> Estimates:
        estimates = super().estimate(crops)
        estimates.betas[:] = np.nan
        return estimates


def test_omitted_people_are_counted_and_reported(nano: Smpler) -> None:
    bench = Bench(Pipeline(NothingFinite(nano, backend="plain"), FullImageDetector, AT_ONCE))
    done = bench.worker.process({"left": Arrival(image(1), (camera_info(),))}, mesh=())
    assert len(done["left"][1].people) == 0
    report = bench.statistics.report({})["left"]
    assert (report.failed, report.people_left_out) == (0, 1)
    ((name, sentence),) = bench.reports
    assert name == "left"
    assert "a person was left out: the network's outputs are not finite" in sentence


def test_a_failing_detector_drops_the_image(estimator: Estimator) -> None:
    bench = Bench(Pipeline(estimator, Thrower, AT_ONCE))
    assert bench.worker.process({"left": Arrival(image(1), (camera_info(),))}, mesh=()) == {}
    assert bench.reports == [
        ("left", "an image was dropped: RuntimeError: the network is gone"),
    ]


def box(label: str, score: float, *, x: float = 30) -> SimpleNamespace:
    hypothesis = SimpleNamespace(class_id=label, score=score)
    results = [SimpleNamespace(hypothesis=hypothesis)] if label else []
    position = SimpleNamespace(x=x, y=20.0)
    centre = SimpleNamespace(position=position, theta=0.0)
    return SimpleNamespace(
        results=results, bbox=SimpleNamespace(center=centre, size_x=20.0, size_y=40.0)
    )


def test_given_boxes_reach_the_tracker(estimator: Estimator) -> None:
    bench = Bench(Pipeline(estimator, GivenBoxes, AT_ONCE))
    detections = SimpleNamespace(detections=[box("person", 0.9)])
    for second in (1, 2):
        arrival = Arrival(image(second), (camera_info(),), detections=detections)
        done = bench.worker.process({"left": arrival}, mesh=())
    assert done["left"][1].people.boxes_xyxy.tolist() == [[20, 0, 40, 40]]


def test_an_invalid_box_is_dropped_alone_and_counted(estimator: Estimator) -> None:
    bench = Bench(Pipeline(estimator, GivenBoxes, AT_ONCE))
    detections = SimpleNamespace(detections=[box("person", 0.9, x=np.nan), box("person", 0.9)])
    for second in (1, 2):
        arrival = Arrival(image(second), (camera_info(),), detections=detections)
        done = bench.worker.process({"left": arrival}, mesh=())
    assert done["left"][1].people.boxes_xyxy.tolist() == [[20, 0, 40, 40]]
    assert bench.statistics.report({})["left"].boxes_left_out == 2
    ((_, sentence),) = bench.reports
    assert "boxes of people must be finite" in sentence
