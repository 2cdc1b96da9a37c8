"""One camera's part of the pipeline with an untrained network: what must hold for any output."""

from collections.abc import Callable
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
from smpler_model.frames import CameraPose, Frame, TranslationSource
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from tests.smpler_model.boxed_frames import AT_ONCE, BOXES, CAMERA, assert_same, frame, give, run

pytestmark = pytest.mark.slow


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
            assert len(pipeline.camera("").placer.floor_from_feet.snapshot()["ids"]) == 0


def test_people_are_remembered_only_if_asked(estimator: Estimator) -> None:
    frames = [frame(index) for index in range(2)]
    for remember_s in (0.0, 60.0):
        pipeline = Pipeline(estimator, GivenBoxes, replace(AT_ONCE, remember_s=remember_s))
        result = run(pipeline, frames)[-1]
        assert ("identify" in result.timings_ms) == (remember_s > 0)
        assert len(pipeline.camera("").identities.snapshot()["tracks"]) == (2 if remember_s else 0)
        assert sorted(result.people.ids.tolist()) == [0, 1]


def test_tracks_that_are_not_shown_are_held(estimator: Estimator) -> None:
    camera = Pipeline(estimator, GivenBoxes, replace(AT_ONCE, max_people=1)).camera("")
    few = camera.track(frame(0), detections_from(BOXES))
    none = camera.track(frame(1), detections_from([]))
    for tracked, count in ((few, 1), (none, 0)):
        assert len(tracked.people) == count
        assert sorted(tracked.held.tolist()) == [0, 1]


@pytest.mark.parametrize(("lost_s", "remember_s"), [(20.0, 5.0), (1.4, 20.0)])
def test_an_id_returns_as_long_as_a_track_or_a_memory_lasts(
    lost_s: float, remember_s: float
) -> None:
    config = PipelineConfig(TrackerConfig(lost_s=lost_s), remember_s=remember_s)
    assert config.absence_s == 20.0


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


def test_a_rewound_clock_starts_anew(create: Callable[[], Pipeline]) -> None:
    pipeline = create()
    frames = [frame(index) for index in range(4)]
    first = run(pipeline, frames)
    second = run(pipeline, frames)
    for a, b in zip(first, second, strict=True):
        assert_same(a, b, ids=False)
    assert not set(first[-1].people.ids) & set(second[-1].people.ids)


class Noting(GivenBoxes):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = list[str]()

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        self.calls.append("detect")
        return super().detect(rgb)

    def reset(self) -> None:
        self.calls.append("reset")


def picture(index: int, frame_id: str, width: int) -> Frame:
    rgb = np.full((width * 9 // 16, width, 3), 90, np.uint8)
    return Frame(rgb, index * 10**8, frame_id)


OTHERS = {"camera": ("rear", 1280), "size": ("front", 640), "no name": ("", 1280)}
others = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)


@others
def test_another_camera_or_size_on_the_topic_starts_anew(
    estimator: Estimator, other: tuple[str, int]
) -> None:
    pipeline = Pipeline(estimator, Noting, AT_ONCE)
    fresh = Pipeline(estimator, GivenBoxes, AT_ONCE)
    before = run(pipeline, [picture(index, "front", 1280) for index in (0, 1)])
    pictures = [picture(index, *other) for index in (2, 3)]
    after, expected = run(pipeline, pictures), run(fresh, pictures)
    assert before[0].people.ids.tolist() == before[1].people.ids.tolist() == [0, 1]
    assert after[0].people.ids.tolist() == after[1].people.ids.tolist() == [2, 3]
    for a, b in zip(after, expected, strict=True):
        assert_same(a, b, ids=False)
    detector = pipeline.camera("").detector
    assert isinstance(detector, Noting)
    assert detector.calls == ["detect", "detect", "reset", "detect", "detect"]


@others
def test_tracks_alone_start_anew_likewise(
    create: Callable[[], Pipeline], other: tuple[str, int]
) -> None:
    """A resumed evaluation repeats the tracks, from stored detections."""
    camera, found = create().camera(""), detections_from(BOXES)
    ids = []
    fronts = [picture(index, "front", 1280) for index in (0, 1)]
    for one in (*fronts, picture(2, *other), picture(3, *other)):
        camera.follow(one)
        ids.append(camera.track(one, found).people.ids.tolist())
    assert ids == [[0, 1], [0, 1], [2, 3], [2, 3]]


def test_images_that_all_differ_in_size_are_one_sequence(estimator: Estimator) -> None:
    """As in a folder of crops, where tracks are confirmed by a second image."""
    pipeline = Pipeline(estimator, GivenBoxes, PipelineConfig(TrackerConfig(confirm_frames=2)))
    found = run(pipeline, [picture(index, "", 1280 + 16 * index) for index in range(3)])
    assert [each.people.ids.tolist() for each in found] == [[], [0, 1], [0, 1]]


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
