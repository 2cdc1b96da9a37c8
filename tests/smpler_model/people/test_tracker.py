"""Persistence of track ids."""

import numpy as np
import pytest

from smpler_model.detectors.detector import Detections, detections_from
from smpler_model.frames import TrackState
from smpler_model.people.tracker import IdSource, Tracker, TrackerConfig, Tracks

RATE_HZ = 10
WALK_PX = 6.0


def person(x: float, y: float = 100.0) -> list[float]:
    return [x, y, x + 60, y + 180]


def run(tracker: Tracker, frames: list[Detections], start: int = 0) -> list[Tracks]:
    return [
        tracker.update((start + index) * 10**9 // RATE_HZ, detections)
        for index, detections in enumerate(frames)
    ]


def walk(steps: int, x: float = 0.0, y: float = 100.0, speed: float = WALK_PX) -> list[Detections]:
    return [detections_from([person(x + speed * step, y)], [0.9]) for step in range(steps)]


NOBODY = detections_from([])


def test_a_person_is_confirmed_and_keeps_the_id() -> None:
    tracks = run(Tracker(IdSource()), walk(30))
    assert len(tracks[0]) == 0
    assert {tuple(frame.ids) for frame in tracks[2:]} == {(0,)}
    np.testing.assert_allclose(tracks[-1].boxes_xyxy[0], person(29 * WALK_PX))
    assert tracks[-1].states[0] == TrackState.CONFIRMED


@pytest.mark.parametrize("images", [1, 2, 3, 5])
def test_a_person_is_reported_after_confirm_frames(images: int) -> None:
    tracks = run(Tracker(IdSource(), TrackerConfig(confirm_frames=images)), walk(8))
    assert [len(frame) for frame in tracks] == [0] * (images - 1) + [1] * (9 - images)
    assert {int(track_id) for frame in tracks for track_id in frame.ids} == {0}


def test_people_confirmed_at_once_coast_and_keep_their_ids() -> None:
    tracker = Tracker(IdSource(), TrackerConfig(confirm_frames=1))
    left, right = walk(6), walk(6, x=400, speed=-WALK_PX)
    both = [
        detections_from(np.vstack([a.boxes_xyxy, b.boxes_xyxy, [[0, 0, 9, 9]]]), [0.9, 0.8, 0.3])
        for a, b in zip(left, right, strict=True)
    ]
    tracks = run(tracker, [both[0], NOBODY, *both[2:]])
    assert [sorted(frame.ids.tolist()) for frame in tracks] == [[0, 1]] * 6
    assert tracks[1].states.tolist() == [TrackState.COASTING] * 2


@pytest.mark.parametrize("images", [2, 3])
def test_who_is_surely_a_person_is_confirmed_at_once(images: int) -> None:
    """A sure one begins beside one who began before and still waits, and beside an unsure one."""
    config = TrackerConfig(confirm_frames=images, confirm_score=0.8)
    places = [0.0, 200.0, 400.0]
    frames = [
        detections_from([person(places[0])], [0.6]),
        detections_from([person(x) for x in places], [0.7, 0.85, 0.75]),
        *[detections_from([person(x) for x in places], [0.9, 0.9, 0.9])] * 3,
    ]
    tracks = run(Tracker(IdSource(), config), frames)
    lefts = [sorted(frame.boxes_xyxy[:, 0].round().tolist()) for frame in tracks]
    assert lefts[0] == []
    assert lefts[1] == ([0.0, 200.0] if images == 2 else [200.0])
    assert lefts[-1] == places
    by_place = {
        place: {int(row) for frame in tracks for row in frame.ids[frame.boxes_xyxy[:, 0] == place]}
        for place in places
    }
    assert [len(ids) for ids in by_place.values()] == [1, 1, 1]


def test_a_score_of_one_never_confirms_at_once() -> None:
    config = TrackerConfig(confirm_score=1.0)
    sure = [detections_from([person(0)], [1.0])] * 2
    assert [len(frame) for frame in run(Tracker(IdSource(), config), sure)] == [0, 1]


def test_a_single_detection_is_not_confirmed() -> None:
    tracks = run(Tracker(IdSource()), [NOBODY, *walk(1), *[NOBODY] * 5])
    assert all(len(frame) == 0 for frame in tracks)


def test_a_person_coasts_through_a_gap_and_is_dropped_after_a_long_one() -> None:
    tracker = Tracker(IdSource(), TrackerConfig(lost_s=1.0))
    frames = walk(10)
    hidden = run(tracker, [*frames, *[NOBODY] * 4])[-1]
    assert hidden.states.tolist() == [TrackState.COASTING]
    assert hidden.boxes_xyxy[0, 0] > frames[-1].boxes_xyxy[0, 0] + 2 * WALK_PX
    back = run(tracker, walk(3, x=14 * WALK_PX), start=14)
    assert back[-1].ids.tolist() == hidden.ids.tolist()
    gone = run(tracker, [NOBODY] * 15, start=17)
    assert len(gone[-1]) == 0
    again = run(tracker, walk(5), start=32)
    assert again[-1].ids.tolist() == [1]


def test_two_people_who_cross_keep_their_ids() -> None:
    pairs = [
        detections_from([person(8.0 * step, 100), person(480 - 8.0 * step, 130)], [0.9, 0.9])
        for step in range(60)
    ]
    tracks = run(Tracker(IdSource(), TrackerConfig()), pairs)
    first, last = tracks[5], tracks[-1]
    by_id = dict(zip(last.ids.tolist(), last.boxes_xyxy[:, 0], strict=True))
    assert sorted(by_id) == sorted(first.ids.tolist())
    right_going = first.ids[np.argmin(first.boxes_xyxy[:, 0])]
    assert by_id[int(right_going)] > 400


def test_the_box_of_two_people_goes_to_the_one_in_front() -> None:
    """Both walk to the left; the one in front passes, and for some images only one box is seen."""
    tracker, frames = Tracker(IdSource()), []
    for step in range(40):
        front = [320.0 - 8 * step, 120, 400 - 8 * step, 350]
        behind = [190.0 - 2 * step, 148, 240 - 2 * step, 318]
        hidden = abs(front[0] + 40 - behind[0] - 25) < 35
        frames.append(detections_from([front] if hidden else [front, behind]))
    tracks = run(tracker, frames)
    assert 3 < sum(len(frame) == 1 for frame in frames) < 15
    front_id = tracks[2].ids[tracks[2].boxes_xyxy[:, 0].argmax()]
    for frame in tracks[2:]:
        heights = frame.boxes_xyxy[:, 3] - frame.boxes_xyxy[:, 1]
        seen = frame.states == TrackState.CONFIRMED
        assert frame.ids[seen][heights[seen].argmax()] == front_id
    assert sorted(tracks[-1].ids.tolist()) == [0, 1]


def test_ids_are_unique_over_cameras_and_after_a_reset() -> None:
    source = IdSource()
    left, right = Tracker(source), Tracker(source)
    seen = [run(left, walk(4))[-1].ids, run(right, walk(4))[-1].ids]
    left.reset()
    seen.append(run(left, walk(4))[-1].ids)
    assert [ids.tolist() for ids in seen] == [[0], [1], [2]]


def test_a_rewound_clock_starts_anew() -> None:
    tracker = Tracker(IdSource())
    run(tracker, walk(10), start=1000)
    tracks = run(tracker, walk(4), start=0)
    assert len(tracks[0]) == 0
    assert tracks[-1].ids.tolist() == [1]


def test_a_repeated_stamp_changes_nothing() -> None:
    tracker = Tracker(IdSource())
    before = run(tracker, walk(5))[-1]
    repeated = tracker.update(4 * 10**9 // RATE_HZ, walk(6)[-1])
    assert repeated.ids.tolist() == before.ids.tolist()


@pytest.mark.parametrize("rate_hz", [3, 30])
def test_timestamps_decide_how_long_a_track_is_kept(rate_hz: int) -> None:
    tracker = Tracker(IdSource(), TrackerConfig(lost_s=1.0))
    frames = [*walk(5, speed=0.0), *[NOBODY] * (2 * rate_hz)]
    alive_s = [
        index / rate_hz
        for index, detections in enumerate(frames)
        if len(tracker.update(index * 10**9 // rate_hz, detections))
    ]
    assert alive_s[-1] - 4 / rate_hz == pytest.approx(1.0, abs=1.01 / rate_hz)


@pytest.mark.parametrize(("step_ns", "lost_s"), [(2 * 10**9, 1.4), (10**9 // 15, 0.05)])
def test_a_track_lasts_until_the_next_image_at_any_rate(step_ns: int, lost_s: float) -> None:
    tracker, seen = Tracker(IdSource(), TrackerConfig(lost_s=lost_s)), walk(1)[0]
    ids = [tracker.update(index * step_ns, seen).ids.tolist() for index in range(5)]
    assert ids == [[], [0], [0], [0], [0]]
