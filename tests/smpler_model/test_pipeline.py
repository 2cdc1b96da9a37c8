"""The whole pipeline with an untrained network: what must hold for any output."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.detectors.detector import (
    Detections,
    FullImageDetector,
    GivenBoxes,
    detections_from,
)
from smpler_model.frames import CameraPose, Frame, FrameResult, People, TranslationSource
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.people.confidence import are_inside
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from smpler_model.shared_image import SharedImage
from tests.pipeline_steps import STEPS

CAMERA = Camera(320, 240, 300.0, 302.0, 161.0, 119.0, "plumb_bob", (-0.1, 0.02, 0, 0, 0))
BOXES = [[20, 10, 90, 200], [150, 30, 230, 220]]
AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1))


@pytest.fixture(scope="module")
def estimator(nano: Smpler) -> Estimator:
    return Estimator(nano, backend="plain")  # the usual one has to compile first


@pytest.fixture
def create(estimator: Estimator) -> Callable[[], Pipeline]:
    """Return a function that creates a pipeline without state."""
    return lambda: Pipeline(estimator, GivenBoxes, AT_ONCE)


def frame(index: int, camera: Camera | None = CAMERA, seed: int = 0) -> Frame:
    """A blank image, 0.1 s after the previous one."""
    rng = np.random.default_rng([seed, index])
    rgb = rng.integers(0, 255, (240, 320, 3), np.uint8)
    return Frame(rgb, index * 10**8, "optical", camera)


def run(pipeline: Pipeline, frames: list[Frame], camera: str = "") -> list[FrameResult]:
    results = []
    for one in frames:
        give(pipeline, camera)
        results.append(pipeline.process(one, camera=camera))
    return results


def give(pipeline: Pipeline, camera: str) -> None:
    detector = pipeline.camera(camera).detector
    assert isinstance(detector, GivenBoxes)
    detector.give(detections_from(BOXES))


def assert_same(a: FrameResult, b: FrameResult, *, ids: bool = True) -> None:
    for name in ("rotations", "betas", "translations_m", "joints_m", "keypoints_px", "boxes_xyxy"):
        np.testing.assert_allclose(
            getattr(a.people, name), getattr(b.people, name), rtol=1e-4, atol=1e-4, err_msg=name
        )
    if ids:
        np.testing.assert_array_equal(a.people.ids, b.people.ids)


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


def test_the_floor_is_told_where_it_is_used_and_the_pose_known(estimator: Estimator) -> None:
    pose = CameraPose("map", level_camera(1.2, 10.0))
    for use_floor, known in ((True, pose), (True, None), (False, pose)):
        pipeline = Pipeline(estimator, GivenBoxes, replace(AT_ONCE, use_floor=use_floor))
        frames = [replace(frame(index), pose=known) for index in range(2)]
        result = run(pipeline, frames)[-1]
        people = result.people
        if not (use_floor and known):
            assert result.floor is None
            assert people.foot_contacts is people.footprints_m is None
            continue
        assert result.floor is not None
        assert people.foot_contacts is not None
        assert ((people.foot_contacts >= 0) & (people.foot_contacts <= 1)).all()
        assert people.footprints_m is not None
        heights = people.footprints_m @ result.floor[:3] + result.floor[3]
        np.testing.assert_allclose(heights, 0, atol=1e-9)


@pytest.mark.parametrize("known", [None, CameraPose("odom", level_camera(1.2, 10.0))])
def test_the_floor_from_feet_needs_people_and_a_calibrated_camera(
    estimator: Estimator, known: CameraPose | None
) -> None:
    """Random bodies: what counts is that the feet of earlier images are used, and only then."""
    for camera in (CAMERA, None):
        config = replace(AT_ONCE, floor_from_feet=True)
        pipeline = Pipeline(estimator, GivenBoxes, config)
        frames = [replace(frame(index, camera), pose=known) for index in range(3)]
        results = run(pipeline, frames)
        assert results[0].floor is None
        for result in results:
            assert (result.people.footprints_m is None) == (result.floor is None)
        if camera is None:
            assert len(pipeline.camera("").felt.snapshot()["ids"]) == 0


def test_people_are_remembered_only_if_asked(estimator: Estimator) -> None:
    frames = [frame(index) for index in range(2)]
    for remember_s in (0.0, 60.0):
        pipeline = Pipeline(estimator, GivenBoxes, replace(AT_ONCE, remember_s=remember_s))
        result = run(pipeline, frames)[-1]
        assert ("identify" in result.timings_ms) == (remember_s > 0)
        assert len(pipeline.camera("").identities.snapshot()["tracks"]) == (2 if remember_s else 0)
        assert sorted(result.people.ids.tolist()) == [0, 1]


def test_people_off_axis_are_rotated_by_their_direction(create: Callable[[], Pipeline]) -> None:
    """The same crop, left of the axis of one camera and right of that of another."""
    frames = [frame(0, Camera(320, 240, 300, 300, cx, 120)) for cx in (319, 0)]
    left, right = (run(create(), [one, replace(one, stamp_ns=1)])[-1].people for one in frames)
    box = np.array(BOXES[0])
    centre_x, centre_y = (box[:2] + box[2:]) / 2
    angles = [np.arctan2(np.hypot(centre_x - cx, centre_y - 120), 300) for cx in (319, 0)]
    apart = Rotation.from_matrix(right.rotations[0, 0] @ left.rotations[0, 0].T)
    assert apart.magnitude() == pytest.approx(sum(angles), abs=0.03)  # both rays lie level, almost
    assert apart.as_rotvec()[1] == pytest.approx(sum(angles), abs=0.03)  # about the way down
    np.testing.assert_allclose(right.rotations[0, 1:], left.rotations[0, 1:], atol=1e-6)
    np.testing.assert_allclose(right.betas, left.betas, atol=1e-6)


def test_nobody(create: Callable[[], Pipeline]) -> None:
    result = create().process(frame(0), mesh=True)
    assert len(result.people) == 0
    assert result.people.joints_m.shape == (0, 24, 3)


def test_a_missing_calibration_is_flagged(create: Callable[[], Pipeline]) -> None:
    result = run(create(), [frame(0, None), frame(1, None)])[-1]
    assert not result.camera.calibrated
    assert result.people.sources.tolist() == [TranslationSource.FIELD_OF_VIEW] * 2


def test_a_longer_lens_places_people_farther_away(create: Callable[[], Pipeline]) -> None:
    near, far = (
        run(create(), [frame(0, camera), frame(1, camera)])[-1].people.translations_m[:, 2]
        # Long lenses both: near by, how deep a body is counts, too.
        for camera in (
            Camera(320, 240, 900, 900, 160, 120),
            Camera(320, 240, 2700, 2700, 160, 120),
        )
    )
    np.testing.assert_allclose(far / near, 3, rtol=0.15)


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


def test_a_rewound_clock_starts_anew(create: Callable[[], Pipeline]) -> None:
    pipeline = create()
    frames = [frame(index) for index in range(4)]
    first = run(pipeline, frames)
    second = run(pipeline, frames)
    for a, b in zip(first, second, strict=True):
        assert_same(a, b, ids=False)
    assert not set(first[-1].people.ids) & set(second[-1].people.ids)


def test_the_same_frames_give_the_same_people(create: Callable[[], Pipeline]) -> None:
    frames = [frame(index) for index in range(3)]
    for a, b in zip(run(create(), frames), run(create(), frames), strict=True):
        assert_same(a, b)


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

    def broken(*arguments: object) -> object:
        if any(map(is_broken, arguments)):
            raise RuntimeError(f"{step} is out of order")
        return function(*arguments)

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


def test_one_keypoint_that_is_not_finite_is_not_missed(nano: Smpler) -> None:
    class OneJoint(Estimator):
        def estimate(self, crops: NDArray[np.uint8]) -> Estimates:
            estimates = super().estimate(crops)
            estimates.keypoints[:, 7] = np.nan
            return estimates

    (result,) = run(Pipeline(OneJoint(nano, backend="plain"), GivenBoxes, AT_ONCE), [frame(0)])
    assert len(result.people) == 2
    assert np.isfinite(result.people.joints_m).all()


HUGE = 1e300


@pytest.mark.parametrize(
    "box",
    [
        [np.nan, 10, 90, 200],
        [20, 10, np.inf, 200],
        [20, 10, 20, 200],
        [90, 10, 20, 200],
        [-HUGE, -HUGE, HUGE, HUGE],
        [1e6, 10, 1e6 + 50, 200],
    ],
)
def test_a_box_with_nobody_in_it_is_left_out_and_forgotten(
    create: Callable[[], Pipeline], box: list[float]
) -> None:
    pipeline, sound = create(), create()
    for index in range(3):
        for each, boxes in ((pipeline, [box, *BOXES]), (sound, BOXES)):
            detector = each.camera("").detector
            assert isinstance(detector, GivenBoxes)
            detector.give(detections_from(boxes))
        got, expected = (each.process(frame(index)) for each in (pipeline, sound))
        assert_same(got, expected)
        (sentence,) = got.left_out
        assert "a box was left out" in sentence


def test_a_tracker_that_failed_starts_anew(
    create: Callable[[], Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = create()
    (first,) = run(pipeline, [frame(0)])
    library = pipeline.camera("").tracker._library
    monkeypatch.setattr(library, "update", lambda *_, **__: 1 / 0)
    give(pipeline, "")
    with pytest.raises(ZeroDivisionError):
        pipeline.process(frame(1))
    (last,) = run(pipeline, [frame(2)])
    assert len(last.people) == 2
    assert not set(first.people.ids) & set(last.people.ids)


@pytest.mark.parametrize("lens", [(-0.6, 0, 0, 0), (-0.3, 0, 0, 0)])
def test_people_where_the_lens_shows_nothing_are_turned_and_placed_or_left_out(
    estimator: Estimator, lens: tuple[float, ...]
) -> None:
    pipeline = Pipeline(estimator, FullImageDetector, AT_ONCE)
    dark = Camera(320, 240, 60.0, 60.0, 400.0, 120.0, "equidistant", lens)
    result = pipeline.process(frame(0, dark), mesh=True)
    assert len(result.people) + len(result.left_out) == 1
    assert np.isfinite(result.people.joints_m).all()


def test_the_largest_people_are_kept(estimator: Estimator) -> None:
    pipeline = Pipeline(estimator, GivenBoxes, replace(AT_ONCE, max_people=1))
    (result,) = run(pipeline, [frame(0), frame(1)])[1:]
    assert result.people.boxes_xyxy.tolist() == [BOXES[1]]


def test_settings_change_between_frames(create: Callable[[], Pipeline]) -> None:
    pipeline, plain = create(), create()
    plain.reconfigure(replace(AT_ONCE, smoothing=None))
    run(pipeline, [frame(0), frame(1)])
    run(plain, [frame(0), frame(1)])
    smooth, rough = run(pipeline, [frame(2)])[0], run(plain, [frame(2)])[0]
    assert np.abs(smooth.people.betas - rough.people.betas).max() > 1e-6
    pipeline.reconfigure(replace(AT_ONCE, smoothing=None, crop_margin=2.0))
    wide = run(pipeline, [frame(3)])[0]
    assert_same(wide, run(widened(plain, crop_margin=2.0), [frame(3)])[0])


def widened(pipeline: Pipeline, crop_margin: float) -> Pipeline:
    """Return the pipeline with wider crops."""
    pipeline.reconfigure(replace(pipeline.config, crop_margin=crop_margin))
    return pipeline


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
