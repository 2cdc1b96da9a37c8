"""Metrics of people with known errors."""

import numpy as np
import pytest

from benchmarks.real_people.folder import PersonTruth, PhotoTruth, VideoTruth
from benchmarks.real_people.scoring import (
    VideoScores,
    average,
    count_people,
    facing_of,
    hips_of,
    score_photos,
    score_video,
)
from smpler_model.cameras.camera import Camera

STANDING = np.array(
    [
        *([0.2, -0.5, 3.0], [-0.2, -0.5, 3.0]),  # shoulders: the left one lies to the right
        *([0.25, -0.2, 3.0], [-0.25, -0.2, 3.0]),
        *([0.3, 0.0, 2.9], [-0.3, 0.0, 2.9]),
        *([0.1, 0.0, 3.0], [-0.1, 0.0, 3.0]),  # hips
        *([0.1, 0.4, 3.0], [-0.1, 0.4, 2.9]),
        *([0.1, 0.8, 3.1], [-0.1, 0.8, 3.0]),
    ]
)
"""A person 3 m away who faces the camera."""


def person_of(labelled: int, *, is_scored: bool = True) -> PersonTruth:
    joints_px = np.arange(24.0).reshape(12, 2)
    return PersonTruth(
        np.array([0.0, 0.0, 50.0, 200.0]), joints_px, np.arange(12) < labelled, is_scored
    )


def video_of(frames: int) -> VideoTruth:
    joints_m = np.repeat(STANDING[None], frames, 0)
    camera = Camera(640, 480, 500, 500, 320, 240)
    return VideoTruth("a.mp4", camera, 2, np.zeros((frames, 4)), joints_m)


def test_joints_are_found_within_a_share_of_the_longer_side() -> None:
    person = person_of(labelled=4)
    shifts = np.zeros((12, 2))
    shifts[:5, 0] = 0, 9.9, 19.9, 20.1, 1e6  # the last one is not labelled
    photos = [PhotoTruth("a.jpg", True, (person,))]
    scores = score_photos(photos, {"a.jpg": person.joints_px[None] + shifts})
    assert scores is not None
    assert (scores.people, scores.expected, scores.pck) == (1, 1, (0.75, 0.5))
    assert scores.mean_error == pytest.approx((9.9 + 19.9 + 20.1) / 4 / 200)


def test_every_joint_counts_alike_and_only_those_who_are_scored() -> None:
    people = (person_of(12), person_of(4), person_of(12, is_scored=False), person_of(0))
    found = np.stack([p.joints_px for p in people])
    found[1:3] += 1000
    scores = score_photos([PhotoTruth("a.jpg", True, people)], {"a.jpg": found})
    assert scores is not None
    assert (scores.people, scores.pck) == (2, (0.75, 0.75))
    assert scores.mean_error == pytest.approx(np.hypot(1000, 1000) / 200 / 2)


def test_without_anybody_to_score_there_are_no_figures() -> None:
    nobody = PhotoTruth("a.jpg", True, (person_of(12, is_scored=False),))
    assert score_photos([nobody], {"a.jpg": np.zeros((1, 12, 2))}) is None
    assert count_people([nobody]) == 0


def test_people_who_were_not_found_have_no_part_in_the_figures() -> None:
    people = tuple(person_of(12) for _ in range(3))
    joints_px = people[0].joints_px
    photo = PhotoTruth("a.jpg", True, people)
    scores = score_photos([photo], {"a.jpg": [joints_px, None, joints_px + np.array([30.0, 0])]})
    assert scores is not None
    assert (scores.people, scores.expected) == (2, 3)
    assert scores.pck == (0.5, 0.5)
    assert scores.mean_error == pytest.approx(30 / 200 / 2)
    assert scores.line("photos").startswith("photos: 2 of 3 people   PCK@0.1 of the box 0.500")
    assert score_photos([photo], {"a.jpg": [None] * 3}) is None
    assert count_people([photo]) == 3


def test_frames_without_a_person_have_no_part_in_them_either() -> None:
    far = STANDING + np.array([0, 0, 0.3])
    scores = score_video(video_of(5), {0: far, 4: STANDING})
    assert scores is not None
    assert (scores.frames, scores.expected) == (2, 3)
    assert scores.hips_m == pytest.approx(0.15)
    assert scores.line("a.mp4").startswith("a.mp4: 2 of 3 frames   MPJPE 0 mm")
    assert score_video(video_of(5), {}) is None


def test_the_truth_has_no_error() -> None:
    scores = score_video(video_of(3), {0: STANDING, 2: STANDING})
    assert scores is not None
    assert (scores.frames, scores.expected) == (2, 2)
    # The aligned error is only as small as a square root of rounding.
    figures = (scores.mpjpe_mm, scores.pa_mpjpe_mm, scores.hips_m, scores.turn_deg)
    assert figures == pytest.approx((0, 0, 0, 0), abs=1e-4)


def test_a_turned_body_in_another_place_is_wrong_by_turn_and_place() -> None:
    angle = np.deg2rad(30)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    middle = hips_of(STANDING)
    found = (STANDING - middle) @ turn.T + middle + np.array([0.3, 0, 0.4])
    apart = np.linalg.norm((STANDING - middle) @ turn.T - (STANDING - middle), axis=1)
    scores = score_video(video_of(1), {0: found})
    assert scores is not None
    assert scores.mpjpe_mm == pytest.approx(1e3 * apart.mean())
    assert scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert scores.hips_m == pytest.approx(0.5)
    assert scores.turn_deg == pytest.approx(30)


def test_hips_and_turn_are_medians_of_frames() -> None:
    far = STANDING + np.array([0, 0, 9.0])
    scores = score_video(video_of(5), {0: STANDING, 2: STANDING, 4: far})
    assert scores is not None
    assert scores.hips_m == pytest.approx(0)
    assert scores.mpjpe_mm == pytest.approx(0, abs=1e-9)


def test_videos_weigh_alike() -> None:
    scores = average(
        [VideoScores(1, 1, 100, 50, 0.2, 10), VideoScores(99, 101, 300, 150, 0.4, 30)]
    )
    assert scores == VideoScores(100, 102, 200, 100, pytest.approx(0.3), 20)


def test_somebody_who_looks_into_the_camera_faces_it() -> None:
    np.testing.assert_allclose(facing_of(STANDING), (0, 0, -1), atol=1e-12)
