import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smpler_model import assembly
from smpler_model.assembly import (
    build_checked,
    build_pipeline,
    choose_device,
    detector_factory,
    load_named_model,
    pipeline_config,
    warm_up_detector,
)
from smpler_model.body.builtin import BUILTIN_BODY_PATH, load_builtin_body
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.detectors.detector import Detections, detections_from
from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.motion import MotionDetector
from smpler_model.detectors.person_detector import PersonDetector
from smpler_model.frames import Frame
from smpler_model.inference import backends
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler
from smpler_model.people.tracker import IdSource, Tracker, TrackerConfig
from smpler_model.settings.pipeline import DETECTORS, PipelineSettings

BODY = str(BUILTIN_BODY_PATH)


class GivenBoxesSettings(PipelineSettings):
    """Boxes are supplied externally."""

    boxes_are_given = True


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "nano.pt"
    save_checkpoint(build_model(SMPLER_NANO, load_builtin_body()), path)
    return path


def test_defaults_are_those_of_the_pipeline() -> None:
    """Boxes of unknown origin wait for a second image; the default detector's sure ones do not."""
    tracker = TrackerConfig(confirm_score=PipelineSettings().confirm_score)
    assert pipeline_config(PipelineSettings()) == PipelineConfig(tracker=tracker)


@pytest.mark.parametrize("detector", DETECTORS)
def test_one_image_is_enough_where_scores_mean_something(detector: str) -> None:
    found = pipeline_config(PipelineSettings(detector=detector, confirm_score=0.6)).tracker
    waits = detector in ("motion", "full_image")
    assert found.confirm_score == (math.inf if waits else 0.6)
    assert pipeline_config(GivenBoxesSettings(detector=detector)).tracker.confirm_score == math.inf


def test_parameters_reach_the_pipeline(checkpoint: Path) -> None:
    settings = PipelineSettings(
        model=str(checkpoint),
        device="cpu",
        detector="full_image",
        backend="plain",
        confirm_frames=1,
        smoothing=False,
        fov=90.0,
    )
    pipeline = build_pipeline(settings)
    rgb = np.full((120, 160, 3), 127, np.uint8)
    pipeline.process(Frame(rgb, 0))
    result = pipeline.process(Frame(rgb, 33_000_000))
    assert len(result.people) == 1
    assert pipeline.config.smoothing is None
    assert result.camera.fx == pytest.approx(80)


def test_threads_are_set_before_the_network_is_measured(
    nano: Smpler, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(torch, "set_num_threads", calls.append)
    monkeypatch.setattr(assembly, "build_checked_estimator", lambda *_: calls.append("measured"))
    settings = PipelineSettings(threads=3, device="cpu", backend="plain")
    build_checked(nano, settings, torch.device("cpu"))
    assert calls == [3, "measured"]


def test_a_file_without_a_body_gets_the_built_in_one(tmp_path: Path) -> None:
    model = build_model(SMPLER_NANO, load_builtin_body())
    save_checkpoint(model, tmp_path / "bare.pt", include_body=False)
    loaded = load_named_model(PipelineSettings(model=str(tmp_path / "bare.pt")))
    assert torch.equal(loaded.body.v_template, model.body.v_template)


@pytest.mark.slow
def test_a_given_exported_network_is_used(calibrated_file: Path, exported_file: Path) -> None:
    settings = PipelineSettings(
        model=str(calibrated_file),
        exported=str(exported_file),
        device="cpu",
        detector="full_image",
        backend="onnxruntime",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "exported_network", None)  # nothing is exported again
        estimator = build_pipeline(settings).estimator
    assert estimator.backend == "onnxruntime"
    crops = np.zeros((2, estimator.side, estimator.side, 3), np.uint8)
    assert len(estimator.estimate(crops)) == 2
    with pytest.raises(ValueError, match="must hold the weights and body of the chosen"):
        build_pipeline(replace(settings, model="smpler_nano"))


def test_stateful_detectors_belong_to_one_camera_each() -> None:
    create = detector_factory(PipelineSettings(detector="motion"), torch.device("cpu"))
    first, second = create(), create()
    assert isinstance(first, MotionDetector)
    assert first is not second


@pytest.mark.parametrize(
    ("values", "error", "reason"),
    [
        ({"model": "smpler_w99"}, FileNotFoundError, "model must be smpler_nano or a checkpoint"),
        ({"body": "/nowhere/smpl.pkl"}, OSError, "nowhere"),
        ({"gender": "female"}, ValueError, "gender chooses from a folder .* female and no body"),
        (
            {"gender": "male", "body": BODY},
            ValueError,
            r"got male and .*body\.npz; give the folder",
        ),
    ],
)
def test_models_that_cannot_be_loaded(
    values: dict[str, object], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        load_named_model(PipelineSettings.from_values(values))


def test_a_detector_without_its_file() -> None:
    with pytest.raises(ValueError, match="the detector onnx needs a file, got none"):
        detector_factory(PipelineSettings(detector="onnx"), torch.device("cpu"))


@pytest.mark.parametrize("name", ["gpu", "cuda:77", "xpu", ""])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(ValueError, match="device"):
        choose_device(name)


def test_without_a_gpu_auto_is_the_cpu() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected


@pytest.mark.parametrize("asked", [0.2, 0.5, 0.8])
def test_tracks_begin_with_the_score_that_is_asked_for(asked: float) -> None:
    tracker = pipeline_config(PipelineSettings(detection_score=asked)).tracker
    assert (tracker.start_score, tracker.sure_score) == (asked, asked)


def test_the_default_detector_needs_no_file_and_serves_all_cameras() -> None:
    create = detector_factory(PipelineSettings(), torch.device("cpu"))
    assert isinstance(create(), PersonDetector)
    assert create() is create()


@pytest.mark.parametrize("score", [0.0, 0.2])
def test_given_boxes_become_people_whatever_their_score(score: float) -> None:
    config = pipeline_config(GivenBoxesSettings(confirm_frames=1))
    tracker = Tracker(IdSource(), config.tracker)
    boxes = detections_from([[9, 9, 40, 99]], [score])
    assert [len(tracker.update(image * 10**8, boxes)) for image in range(3)] == [1, 1, 1]


class Started:
    """A detector that notes the images that it sees, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.seen = error, []

    def detect(self, rgb: np.ndarray) -> Detections:
        self.seen.append(rgb.shape)
        if self.error is not None:
            raise self.error
        return detections_from([])

    def reset(self) -> None:
        """Nothing is remembered."""


def test_detectors_on_a_gpu_are_started_with_an_image() -> None:
    detector = Started()
    warm_up_detector(detector, torch.device("cpu"))
    assert detector.seen == []
    warm_up_detector(detector, torch.device("cuda"))
    assert detector.seen == [(720, 1280, 3)]


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            RuntimeError("FIND was unable to find an engine to execute\nand a page of advice"),
            DetectorError,
            r"must run on cuda, got an error \(FIND was unable .* execute\); choose another",
        ),
        (DeviceMemoryError("the detector needs more"), DeviceMemoryError, "the detector needs"),
    ],
)
def test_a_detector_that_fails_on_a_gpu_is_told_at_the_start(
    error: Exception, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        warm_up_detector(Started(error), torch.device("cuda"))
