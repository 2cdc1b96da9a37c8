"""Filters of position and velocity, with motions and noise that are known."""

import numpy as np
import pytest

from smpler_model.people.position_filter import (
    MotionEstimates,
    PositionFilter,
    PositionFilterConfig,
)

STEP_NS = 66_666_667
NOISE = np.diag([0.02, 0.02, 0.05]) ** 2


def follow(
    positions: np.ndarray, made: PositionFilter | None = None, *, first_ns: int = 0, id_: int = 7
) -> list[MotionEstimates]:
    """Filter one person's positions (t, 3) at 15 Hz."""
    made = made or PositionFilter()
    return [
        made.update(
            first_ns + index * STEP_NS,
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


def squared_errors(assumed: PositionFilterConfig, people: int, frames: int) -> tuple[float, float]:
    """Return the means of normalised squared errors of positions and velocities, of people drawn.

    They accelerate as filters assume; of their measurements' variance, the usual share lasts.
    """
    rng, true = np.random.default_rng(0), PositionFilterConfig()
    dt = STEP_NS / 1e9
    density = np.array(true.acceleration)
    kept = np.exp(-dt / true.lasting_s)
    squared: list[list[float]] = [[], []]
    for person in range(people):
        position, velocity = np.zeros(3), rng.normal(0, true.speed_m_s)
        steady = rng.multivariate_normal(np.zeros(3), true.lasting_share * NOISE)
        measured = []
        for _ in range(frames):
            # Integrated white noise has these two correlated parts in a step.
            first, second = rng.normal(size=(2, 3))
            kick = np.sqrt(density * dt) * first
            shift = np.sqrt(density * dt**3) * (first / 2 + second / np.sqrt(12))
            position, velocity = position + dt * velocity + shift, velocity + kick
            fresh = rng.multivariate_normal(
                np.zeros(3), (1 - kept**2) * true.lasting_share * NOISE
            )
            steady = kept * steady + fresh
            rest = rng.multivariate_normal(np.zeros(3), (1 - true.lasting_share) * NOISE)
            measured.append(position + steady + rest)
        last = follow(np.array(measured), PositionFilter(assumed), id_=person)[-1]
        for values, error, covariance in (
            (squared[0], last.positions_m[0] - position, last.position_covariances_m2[0]),
            (squared[1], last.velocities_m_s[0] - velocity, last.velocity_covariances_m2_s2[0]),
        ):
            values.append(error @ np.linalg.solve(covariance, error))
    return float(np.mean(squared[0])), float(np.mean(squared[1]))


def test_errors_are_as_large_as_the_covariances_say() -> None:
    """The squared errors are chi-squared (3), although most of a measurement's error lasts."""
    positions, velocities = squared_errors(PositionFilterConfig(), people=120, frames=25)
    assert positions == pytest.approx(3.0, abs=0.6)
    assert velocities == pytest.approx(3.0, abs=0.6)


def test_a_filter_that_averages_what_lasts_is_too_sure() -> None:
    positions, _ = squared_errors(PositionFilterConfig(lasting_share=0.0), people=60, frames=25)
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


@pytest.mark.parametrize("gap_ns", [1_600_000_000, 0, -STEP_NS])
def test_a_gap_or_time_that_does_not_advance_starts_anew(gap_ns: int) -> None:
    made = PositionFilter()
    follow(straight([1.0, 0.0, 0.0], 20), made)
    stamp_ns = 19 * STEP_NS + gap_ns
    again = follow(np.array([[9.0, 9.0, 1.0]]), made, first_ns=stamp_ns)[0]
    np.testing.assert_array_equal(again.positions_m[0], [9.0, 9.0, 1.0])
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


def test_nobody() -> None:
    nobody = PositionFilter().update(
        0, np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, bool)
    )
    assert nobody.positions_m.shape == (0, 3)
