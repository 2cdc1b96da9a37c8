"""People's paths over the floor."""

from dataclasses import replace

import numpy as np
import pytest

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.frames import People
from smpler_model.viewing.trails import STEP_M, TRAIL_S, Trails
from tests.smpler_model.viewing.conftest import moment_of, posed_people

SPEED_M_S, RATE_HZ = 1.4, 20


@pytest.fixture(scope="module")
def person(builtin: BodyArrays) -> People:
    return posed_people(Body(builtin).eval(), 1)


def at(person: People, seconds: float, walked_s: float) -> tuple[int, People]:
    walked = np.array([SPEED_M_S * walked_s, 0.0, 0.0])
    return round(seconds * 1e9), replace(person, joints_m=person.joints_m + walked)


def test_a_trail_follows_and_changes_only_with_steps(person: People) -> None:
    trails, changes, before = Trails(), 0, 0
    seconds = 8.0
    for index in range(round(seconds * RATE_HZ)):
        stamp_ns, people = at(person, index / RATE_HZ, index / RATE_HZ)
        moment = moment_of(people, stamp_ns)
        (places,) = trails.add(moment).values()
        changes += len(places) != before
        before = len(places)
        world = moment.world_from_camera
        here = world[:3, :3] @ people.joints_m[0, 0] + world[:3, 3]
        assert np.linalg.norm(places[-1][:2] - here[:2]) < STEP_M
        assert all(place[2] == 0 for place in places)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.min() >= STEP_M - 1e-9
    assert steps.max() < STEP_M + SPEED_M_S / RATE_HZ
    assert steps.sum() == pytest.approx(SPEED_M_S * TRAIL_S, abs=2 * STEP_M)
    assert changes < 2 * seconds * SPEED_M_S / STEP_M


def test_the_trail_of_a_person_standing_still_ends(person: People) -> None:
    trails = Trails()
    for index in range(round(2 * RATE_HZ)):
        trails.add(moment_of(at(person, index / RATE_HZ, index / RATE_HZ)[1], index * 50_000_000))
    stamp_ns, people = at(person, 2 + TRAIL_S + 0.1, 2.0)
    (places,) = trails.add(moment_of(people, stamp_ns)).values()
    assert len(places) == 1


def test_an_earlier_stamp_resets_the_trails(person: People) -> None:
    trails = Trails()
    trails.add(moment_of(person, 10**9))
    moved = replace(person, joints_m=person.joints_m + 1.0)
    trails.add(moment_of(moved, 2 * 10**9))
    (places,) = trails.add(moment_of(moved, 10**9)).values()
    assert len(places) == 1
