"""Filters of position and velocity, with motions and noise that are known."""

import numpy as np
import pytest
from numpy.random import Generator

from smpler_model.array_types import Floats
from smpler_model.people.motion_models import MotionConfig
from smpler_model.people.position_filter import (
    MotionEstimates,
    PositionFilter,
    PositionFilterConfig,
)

STEP_NS = 66_666_667
NOISE = np.diag([0.02, 0.02, 0.05]) ** 2


def follow(
    positions: np.ndarray,
    made: PositionFilter | None = None,
    *,
    first_ns: int = 0,
    step_ns: int = STEP_NS,
    id_: int = 7,
) -> list[MotionEstimates]:
    """Filter one person's positions (t, 3), at 15 Hz unless a step is given."""
    made = made or PositionFilter()
    return [
        made.update(
            first_ns + index * step_ns,
            np.array([id_]),
            position[None],
            NOISE[None],
            np.array([True]),
        )
        for index, position in enumerate(positions)
    ]


def straight(velocity: list[float], frames: int) -> np.ndarray:
    way = np.arange(frames)[:, None] * (STEP_NS / 1e9) * np.array(velocity)
    return np.asarray(way + np.array([4.0, 1.0, 0.9]))


def test_a_constant_velocity_is_followed_without_lag() -> None:
    truth = straight([1.2, -0.4, 0.0], 60)
    last = follow(truth)[-1]
    np.testing.assert_allclose(last.positions_m[0], truth[-1], atol=2e-3)
    np.testing.assert_allclose(last.velocities_m_s[0], [1.2, -0.4, 0.0], atol=5e-3)


def draw_way(config: MotionConfig, frames: int, rng: Generator) -> tuple[Floats, Floats]:
    """Return positions and velocities (t, 3) of somebody who sets off and stops as assumed."""
    dt = STEP_NS / 1e9
    density, sway = np.array(config.acceleration), np.array(config.sway_m_s)
    stands = rng.random() < config.standing
    position, velocity = np.zeros(3), rng.normal(0, sway if stands else config.speed_m_s)
    way = []
    for _ in range(frames):
        if rng.random() < 1 - np.exp(-dt * (config.set_off_hz if stands else config.stop_hz)):
            stands = not stands
            velocity = velocity + rng.normal(0, config.set_off_m_s)
        # Integrated white noise has these two correlated parts in a step.
        first, second = rng.normal(size=(2, 3))
        if stands:
            position = position + np.sqrt(np.array(config.sway_m2_s) * dt) * first
            velocity = sway * second
        else:
            shift = np.sqrt(density * dt**3) * (first / 2 + second / np.sqrt(12))
            position = position + dt * velocity + shift
            velocity = velocity + np.sqrt(density * dt) * first
        way.append((position, velocity))
    positions, velocities = zip(*way, strict=True)
    return np.array(positions), np.array(velocities)


def squared_errors(assumed: PositionFilterConfig, people: int, frames: int) -> tuple[float, float]:
    """Return the means of normalised squared errors of positions and velocities, of people drawn.

    They move as filters assume; of their measurements' variance, the usual share lasts.
    """
    rng, true = np.random.default_rng(0), PositionFilterConfig()
    kept, share = np.exp(-STEP_NS / 1e9 / true.lasting_s), true.lasting_share
    ways = [draw_way(true.motion, frames, rng) for _ in range(people)]
    positions, velocities = (np.stack(values, 1) for values in zip(*ways, strict=True))

    def draw(variance: float) -> Floats:
        return rng.multivariate_normal(np.zeros(3), variance * NOISE, people)

    steady, made, ids = draw(share), PositionFilter(assumed), np.arange(people)
    noise, seen = np.tile(NOISE, (people, 1, 1)), np.ones(people, bool)
    for index in range(frames):
        steady = kept * steady + draw((1 - kept**2) * share)
        measured = positions[index] + steady + draw(1 - share)
        last = made.update(index * STEP_NS, ids, measured, noise, seen)
    return (
        _mean_square(last.positions_m - positions[-1], last.position_covariances_m2),
        _mean_square(last.velocities_m_s - velocities[-1], last.velocity_covariances_m2_s2),
    )


def _mean_square(errors: Floats, covariances: Floats) -> float:
    weighted = np.linalg.solve(covariances, errors[..., None])[..., 0]
    return float((errors * weighted).sum(-1).mean())


def test_errors_are_as_large_as_the_covariances_say() -> None:
    """The squared errors' mean is 3, although most of a measurement's error lasts."""
    positions, velocities = squared_errors(PositionFilterConfig(), people=400, frames=25)
    assert positions == pytest.approx(3.0, abs=0.5)
    assert velocities == pytest.approx(3.0, abs=0.5)


def test_a_filter_that_averages_what_lasts_is_too_sure() -> None:
    positions, _ = squared_errors(PositionFilterConfig(lasting_share=0.0), people=120, frames=25)
    assert positions > 4.5


def test_what_lasts_is_not_averaged_away_in_ten_seconds() -> None:
    config = PositionFilterConfig()
    last = follow(straight([0.0, 0.0, 0.0], 150))[-1]
    least = 0.3 * config.lasting_share * np.diag(NOISE)
    assert (np.diagonal(last.position_covariances_m2[0]) > least).all()


def test_who_is_not_seen_keeps_the_velocity_and_grows_uncertain() -> None:
    made = PositionFilter()
    last = follow(straight([1.0, 0.0, 0.0], 45), made)[-1]
    hidden = made.update(
        50 * STEP_NS, np.array([7]), np.full((1, 3), 99.0), NOISE[None], np.array([False])
    )
    moved = hidden.positions_m[0] - last.positions_m[0]
    np.testing.assert_allclose(moved, 6 * STEP_NS / 1e9 * last.velocities_m_s[0], atol=1e-9)
    grown = hidden.position_covariances_m2[0] - last.position_covariances_m2[0]
    assert (np.linalg.eigvalsh(grown) > 0).all()


def test_an_error_that_grows_with_its_covariance_is_no_motion() -> None:
    """As of who stands while the image's edge cuts them more and more."""
    spreads = np.linspace(0.05, 0.3, 12)
    drifts = 0.25 * np.linspace(0, 1, 12) ** 2
    fixed = [(0.0, 0.05)] * 30
    cut = list(zip(drifts.tolist(), spreads.tolist(), strict=True))
    course = [*fixed, *cut]
    speeds: dict[str, float] = {}
    for told in ("told", "not told"):
        made, fastest = PositionFilter(), 0.0
        for index, (drift, spread) in enumerate(course):
            noise = (spread if told == "told" else 0.05) ** 2 * np.eye(3)[None]
            place, seen = np.array([[4.0 + drift, 1.0, 0.9]]), np.array([True])
            found = made.update(index * STEP_NS, np.array([7]), place, noise, seen)
            fastest = max(fastest, float(np.abs(found.velocities_m_s[0]).max()))
        speeds[told] = fastest
    assert speeds["told"] < 0.1
    assert speeds["not told"] > 2 * speeds["told"]


WALKS_ALWAYS = PositionFilterConfig(MotionConfig(standing=0.0, stop_hz=1e-9))


def test_an_error_that_drifts_is_no_motion_of_who_stands() -> None:
    """As where the image's edge or somebody else cuts a body: 1.5 sigma in 0.3 s, then back."""
    drift = np.interp(np.arange(90), [30, 35, 60, 65], [0.0, 0.03, 0.03, 0.0])
    places = np.array([4.0, 1.0, 0.9]) + drift[:, None] * [1.0, -0.5, 0.0]
    fastest = {
        name: max(np.linalg.norm(found.velocities_m_s[0]) for found in follow(places, made))
        for name, made in (("usual", None), ("walks", PositionFilter(WALKS_ALWAYS)))
    }
    assert fastest["usual"] < 0.02
    assert fastest["walks"] > 3 * fastest["usual"]


@pytest.mark.parametrize(("speed_m_s", "within_s"), [(0.3, 0.4), (1.2, 0.25)])
def test_who_sets_off_or_stops_is_followed_at_once(speed_m_s: float, within_s: float) -> None:
    rng, dt = np.random.default_rng(1), STEP_NS / 1e9
    start, stop = 30, 75
    way = speed_m_s * dt * np.clip(np.arange(120) - start, 0, stop - start)
    places = np.array([4.0, 1.0, 0.9]) + way[:, None] * [0.6, 0.8, 0.0]
    found = follow(places + rng.normal(0, 0.01, places.shape))
    speeds = np.array([np.linalg.norm(each.velocities_m_s[0, :2]) for each in found])
    late = round(within_s / dt)
    assert (speeds[10:start] < 0.05).all()
    assert (speeds[start + late : stop] > speed_m_s / 2).all()
    assert speeds[start + 2 * late : stop] == pytest.approx(speed_m_s, abs=0.12)
    assert (speeds[stop + late : stop + 2 * late] < speed_m_s / 2).all()
    assert (speeds[stop + 15 :] < 0.05).all()


@pytest.mark.parametrize("gap_ns", [1_600_000_000, 0, -STEP_NS])
def test_a_gap_or_time_that_does_not_advance_starts_anew(gap_ns: int) -> None:
    made = PositionFilter()
    follow(straight([1.0, 0.0, 0.0], 20), made)
    stamp_ns = 19 * STEP_NS + gap_ns
    again = follow(np.array([[9.0, 9.0, 1.0]]), made, first_ns=stamp_ns)[0]
    np.testing.assert_array_equal(again.positions_m[0], [9.0, 9.0, 1.0])
    np.testing.assert_array_equal(again.velocities_m_s[0], np.zeros(3))


SLOW_NS = 2_000_000_000


def slow_way(frames: int) -> np.ndarray:
    """Return positions (t, 3) of one who walks at 1 m/s, every 2 s."""
    return np.array([4.0, 1.0, 0.9]) + 2.0 * np.arange(frames)[:, None] * [1.0, 0.0, 0.0]


def test_velocities_are_known_at_low_rates_too() -> None:
    made = PositionFilter()
    last = follow(slow_way(10), made, step_ns=SLOW_NS)[-1]
    assert np.linalg.norm(last.velocities_m_s[0]) == pytest.approx(1.0, abs=0.3)
    made.reset()
    again = follow(slow_way(2), made, first_ns=20 * SLOW_NS, step_ns=SLOW_NS)[-1]
    assert not again.velocities_m_s.any()


def test_a_long_step_among_short_ones_starts_anew() -> None:
    made = PositionFilter()
    steps = np.arange(20)[:, None] * [0.1, 0.0, 0.0]
    assert follow(steps, made, step_ns=SLOW_NS // 20)[-1].velocities_m_s[0, 0] > 0.5
    first_ns = 19 * SLOW_NS // 20 + SLOW_NS
    again = follow(steps[-1:] + np.array([2.0, 0.0, 0.0]), made, first_ns=first_ns)[0]
    np.testing.assert_array_equal(again.velocities_m_s[0], np.zeros(3))


def test_people_do_not_affect_each_other_whatever_their_order() -> None:
    both, alone = PositionFilter(), PositionFilter()
    one, other = straight([1.0, 0.2, 0.0], 20), straight([-0.5, 0.0, 0.0], 20)
    for index in range(20):
        rows = [0, 1] if index % 2 else [1, 0]
        ids, positions = np.array([3, 8])[rows], np.stack([one[index], other[index]])[rows]
        noise, seen = np.stack([NOISE] * 2), np.ones(2, bool)
        together = both.update(index * STEP_NS, ids, positions, noise, seen)
        single = alone.update(
            index * STEP_NS, np.array([3]), one[index][None], NOISE[None], seen[:1]
        )
        row = ids.tolist().index(3)
        np.testing.assert_allclose(together.velocities_m_s[row], single.velocities_m_s[0])


def test_a_restored_filter_continues_alike() -> None:
    positions = straight([1.0, 0.5, 0.0], 30)
    whole = follow(positions)[-1]
    first, second = PositionFilter(), PositionFilter()
    follow(positions[:15], first)
    second.restore(first.snapshot())
    resumed = follow(positions[15:], second, first_ns=15 * STEP_NS)[-1]
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(getattr(resumed, name), values)


def test_a_restored_filter_knows_the_usual_step() -> None:
    first, second = PositionFilter(), PositionFilter()
    whole = follow(slow_way(10), step_ns=SLOW_NS)[-1]
    follow(slow_way(9), first, step_ns=SLOW_NS)
    second.restore(first.snapshot())
    resumed = follow(slow_way(10)[9:], second, first_ns=9 * SLOW_NS)[-1]
    np.testing.assert_array_equal(resumed.velocities_m_s, whole.velocities_m_s)


def test_nobody() -> None:
    nobody = PositionFilter().update(
        0, np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, bool)
    )
    assert nobody.positions_m.shape == (0, 3)
