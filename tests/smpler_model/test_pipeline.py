"""The whole pipeline with an untrained network: what must hold for any output."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from smpler_model.detectors.detector import (
    Detections,
    FullImageDetector,
    GivenBoxes,
    detections_from,
)
from smpler_model.frames import Frame, FrameResult, People, TranslationSource
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.people.confidence import are_inside
from smpler_model.people.tracker import IdSource
from smpler_model.pipeline import Pipeline, sum_timings
from smpler_model.shared_image import SharedImage
from tests.pipeline_steps import STEPS
from tests.smpler_model.boxed_frames import AT_ONCE, BOXES, CAMERA, assert_same, frame, give, run

pytestmark = pytest.mark.slow


def test_results_are_consistent(create: Callable[[], Pipeline]) -> None:
    pipeline = create()
    run(pipeline, [frame(0)])
    give(pipeline, "")
    result = pipeline.process(frame(1), mesh=True)
    people = result.people
    assert (result.stamp_ns, result.frame_id, result.camera) == (10**8, "optical", CAMERA)
    assert len(people) == 2
    np.testing.assert_array_equal(people.boxes_xyxy, BOXES)
    np.testing.assert_allclose(people.keypoints_px, CAMERA.project(people.joints_m))
    identity = np.broadcast_to(np.eye(3), people.rotations.shape)
    np.testing.assert_allclose(
        people.rotations @ people.rotations.swapaxes(-1, -2), identity, atol=1e-5
    )
    assert people.sources.tolist() == [TranslationSource.BODY_SIZE] * 2
    assert people.joint_confidences is not None
    assert ((people.joint_confidences >= 0) & (people.joint_confidences <= 1)).all()
    outside = ~are_inside(people.keypoints_px, CAMERA)
    np.testing.assert_array_equal(people.joint_confidences == 0, outside)
    assert people.vertices_m is not None
    assert people.vertices_m.shape == (2, 6890, 3)
    assert set(result.timings_ms) == {
        "detect", "track", "crop", "estimate", "place", "smooth", "pose", "mesh",
    }  # fmt: skip


def test_nobody(create: Callable[[], Pipeline]) -> None:
    result = create().process(frame(0), mesh=True)
    assert len(result.people) == 0
    assert result.people.joints_m.shape == (0, 24, 3)


def test_a_batch_of_cameras_equals_single_cameras(create: Callable[[], Pipeline]) -> None:
    sequences = {name: [frame(i, seed=s) for i in range(3)] for s, name in enumerate("ab")}
    together = create()
    for index in range(3):
        for name in sequences:
            give(together, name)
        batch = together.process_batch({name: fs[index] for name, fs in sequences.items()})
    for name, frames in sequences.items():
        assert_same(batch[name], run(create(), frames, camera=name)[-1], ids=False)
    assert not set(batch["a"].people.ids) & set(batch["b"].people.ids)


def test_each_camera_has_its_own_times_and_all_share_those_of_the_batch(
    create: Callable[[], Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = create()
    clock = iter(range(1000))
    monkeypatch.setattr("smpler_model.step_times.time.perf_counter", lambda: float(next(clock)))
    for name in "ab":
        give(pipeline, name)
    results = pipeline.process_batch({name: frame(0) for name in "ab"})
    first, second = (results[name].timings_ms for name in "ab")
    assert first is not second
    assert list(first) == list(second)
    # Every step of one camera starts the clock and reads it once; nothing else does.
    assert first["track"] == first["crop"] == second["place"] == 1e3
    total = sum_timings(results.values())
    assert total["track"] == 2e3
    assert total["estimate"] == first["estimate"] == second["estimate"] == 1e3


def test_meshes_are_computed_for_the_requested_cameras(create: Callable[[], Pipeline]) -> None:
    pipeline = create()
    for index in range(2):
        for name in "ab":
            give(pipeline, name)
        frames = {"a": frame(index), "b": frame(index)}
        results = pipeline.process_batch(frames, mesh={"b"})
    assert len(results["a"].people) == len(results["b"].people) > 0
    assert results["a"].people.vertices_m is None
    assert results["b"].people.vertices_m is not None


def test_the_same_frames_give_the_same_people(create: Callable[[], Pipeline]) -> None:
    frames = [frame(index) for index in range(3)]
    for a, b in zip(run(create(), frames), run(create(), frames), strict=True):
        assert_same(a, b)


def test_pipelines_with_one_source_of_ids_share_none(estimator: Estimator) -> None:
    ids = IdSource()
    pipelines = [Pipeline(estimator, GivenBoxes, AT_ONCE, ids=ids) for _ in range(2)]
    found = [run(pipeline, [frame(0)])[0].people.ids.tolist() for pipeline in pipelines]
    assert found == [[0, 1], [2, 3]]


class Broken(GivenBoxes):
    """A detector that fails."""

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        raise RuntimeError("out of order")


def test_a_failing_detector_costs_its_own_camera_only(estimator: Estimator) -> None:
    detectors = iter([Broken(), GivenBoxes()])
    pipeline = Pipeline(estimator, lambda: next(detectors), AT_ONCE)
    reports: list[tuple[str, str]] = []
    frames = {"a": frame(0), "b": frame(0)}
    results = pipeline.process_batch(frames, report=lambda n, e: reports.append((n, str(e))))
    assert list(results) == ["b"]
    assert reports == [("a", "out of order")]
    with pytest.raises(RuntimeError, match="out of order"):
        pipeline.process_batch(frames)
    assert pipeline.process_batch({"a": frame(1)}, report=lambda n, e: None) == {}


class Shared(FullImageDetector):
    """A detector of all cameras that counts how it is called."""

    def __init__(self, *, together: bool) -> None:
        self.calls: list[int] = []
        self._together = together

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        self.calls.append(1)
        return super().detect(rgb)

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        self.calls.append(len(images))
        if not self._together:
            raise RuntimeError("images do not fit together")
        return [super(Shared, self).detect(rgb) for rgb in images]


@pytest.mark.parametrize(("together", "calls"), [(True, [2]), (False, [2, 1, 1])])
def test_cameras_that_share_a_detector_are_one_call(
    estimator: Estimator, together: bool, calls: list[int]
) -> None:
    detector = Shared(together=together)
    pipeline = Pipeline(estimator, lambda: detector, AT_ONCE)
    results = pipeline.process_batch({"a": frame(0), "b": frame(0)})
    assert [len(result.people) for result in results.values()] == [1, 1]
    assert detector.calls == calls


BROKEN = replace(CAMERA, fx=299.0)
"""The camera whose frames cannot be processed."""


def is_broken(value: object) -> bool:
    """Return whether a step's arguments belong to the broken camera."""
    if isinstance(value, SharedImage):
        value = value.frame
    if isinstance(value, Frame):
        return value.camera == BROKEN
    if isinstance(value, People):
        return bool((value.boxes_xyxy[:, 0] == 7).any())
    return value is BROKEN or (
        isinstance(value, np.ndarray)
        and value.ndim == 4
        and bool((value == 0).all((1, 2, 3)).any())
    )


def break_step(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Make a step fail for the broken camera."""
    owner, name = STEPS[step]
    function = getattr(owner, name)

    def broken(*arguments: object, **options: object) -> object:
        if any(map(is_broken, arguments)):
            raise RuntimeError(f"{step} is out of order")
        return function(*arguments, **options)

    monkeypatch.setattr(owner, name, broken)


def exchange(
    pipeline: Pipeline, index: int, names: str, said: list[tuple[str, str]]
) -> dict[str, FrameResult]:
    """Process a frame of some of the cameras a, b (broken) and c; what is reported is said."""
    cameras = {"a": CAMERA, "b": BROKEN, "c": replace(CAMERA, fx=305.0)}
    batch = {}
    for seed, name in enumerate(cameras):
        boxes = np.array(BOXES)
        if name == "b":
            boxes[0, 0] = 7
        detector = pipeline.camera(name).detector
        assert isinstance(detector, GivenBoxes)
        detector.give(detections_from(boxes))
        if name in names:
            batch[name] = frame(index, cameras[name], seed)
    if "b" in batch:
        batch["b"].rgb[:] = 0
    return pipeline.process_batch(batch, mesh=True, report=lambda n, e: said.append((n, str(e))))


@pytest.fixture(scope="module")
def undisturbed(estimator: Estimator) -> list[dict[str, FrameResult]]:
    """Results of four frames of the cameras a and c by themselves."""
    said: list[tuple[str, str]] = []
    pipeline = Pipeline(estimator, GivenBoxes, AT_ONCE)
    results = [exchange(pipeline, index, "ac", said) for index in range(4)]
    assert not said
    return results


@pytest.mark.parametrize("step", [step for step in STEPS if step != "detect"])
def test_a_camera_that_fails_at_any_step_costs_the_others_nothing(
    create: Callable[[], Pipeline],
    undisturbed: list[dict[str, FrameResult]],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    said: list[tuple[str, str]] = []
    break_step(monkeypatch, step)
    pipeline = create()
    for index in range(4):
        results = exchange(pipeline, index, "abc", said)
        assert sorted(results) == ["a", "c"]
        assert said[index:] == [("b", f"{step} is out of order")]
        for other in "ac":
            assert len(results[other].people) == 2
            assert_same(results[other], undisturbed[index][other], ids=False)
    monkeypatch.undo()
    assert len(exchange(pipeline, 4, "abc", said)["b"].people) == 2


class Poisoned(Estimator):
    """Returns non-finite values, or no rotation, for the first person of every batch."""

    value = np.nan
    field = "rotations"

    def estimate(self, crops: NDArray[np.uint8]) -> Estimates:
        estimates = super().estimate(crops)
        getattr(estimates, self.field)[:1] = self.value
        return estimates


def process_both(pipeline: Pipeline, index: int) -> dict[str, FrameResult]:
    """Process the same frame of two cameras."""
    frames = {name: frame(index) for name in "ab"}
    for name in frames:
        give(pipeline, name)
    return pipeline.process_batch(frames, mesh=True)


@pytest.fixture(scope="module")
def healthy(estimator: Estimator) -> list[dict[str, FrameResult]]:
    """Results of three frames in which everybody is finite."""
    pipeline = Pipeline(estimator, GivenBoxes, AT_ONCE)
    return [process_both(pipeline, index) for index in range(3)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rotations", np.nan),
        ("rotations", 0.0),
        ("betas", np.inf),
        ("joints_m", np.nan),
        ("keypoints", np.nan),
        ("keypoints", 1e9),
    ],
)
def test_a_person_who_is_not_finite_costs_nobody_else(
    nano: Smpler, healthy: list[dict[str, FrameResult]], field: str, value: float
) -> None:
    poisoned = Poisoned(nano, backend="plain")
    poisoned.field, poisoned.value = field, value
    pipeline = Pipeline(poisoned, GivenBoxes, AT_ONCE)
    for index, expected in enumerate(healthy):
        got = process_both(pipeline, index)
        if value == 1e9:  # it is finite, and far beside any image
            assert np.isfinite(got["a"].people.joints_m).all()
        else:
            assert got["a"].people.ids.tolist() == expected["a"].people.ids.tolist()[1:]
            (sentence,) = got["a"].left_out
            assert sentence.startswith("a person was left out")
        np.testing.assert_allclose(
            got["a"].people.joints_m[-1], expected["a"].people.joints_m[1], atol=1e-5
        )
        assert got["b"].left_out == ()
        assert_same(got["b"], expected["b"])


def test_the_full_image_detector_fits_in(estimator: Estimator) -> None:
    pipeline = Pipeline(estimator, FullImageDetector, AT_ONCE)
    pipeline.process(frame(0))
    assert pipeline.process(frame(1)).people.boxes_xyxy.tolist() == [[0, 0, 319, 239]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rgb": np.zeros((240, 320), np.uint8)}, r"\(h, w, 3\) uint8"),
        ({"rgb": np.zeros((0, 320, 3), np.uint8)}, "must have pixels"),
        ({"rgb": np.zeros((100, 320, 3), np.uint8)}, "calibrated for 320x240"),
        ({"depth_m": np.zeros((10, 10), np.float32)}, "as large as the image"),
    ],
)
def test_frames_that_do_not_fit_are_refused(change: dict[str, object], words: str) -> None:
    good = {"rgb": np.zeros((240, 320, 3), np.uint8), "stamp_ns": 0, "camera": CAMERA}
    with pytest.raises(ValueError, match=words):
        Frame(**(good | change))
