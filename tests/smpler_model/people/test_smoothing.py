"""Laws of the filters, and their benefit and cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.people.smoothing import Bodies, OneEuro, Smoother, SmoothingConfig

RATE_HZ = 30


def bodies(rotations: Rotation, translation: Floats, betas: Floats | None = None) -> Bodies:
    """One person whose 24 joints all have the same rotation."""
    return Bodies(
        np.repeat(rotations.as_matrix()[None, None], 24, 1),
        np.zeros((1, 10)) if betas is None else betas[None],
        translation[None],
    )


def run(smoother: Smoother, people: list[Bodies], start_ns: int = 0, ids: int = 1) -> list[Bodies]:
    """Smooth a sequence at a steady rate."""
    step = 10**9 // RATE_HZ
    return [
        smoother.smooth(start_ns + index * step, np.array([ids]), person)
        for index, person in enumerate(people)
    ]


HERE = np.array([0.3, -0.2, 4.0])


@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_constant_input_is_unchanged(vector: tuple[float, float, float]) -> None:
    person = bodies(Rotation.from_rotvec(vector), HERE, np.linspace(-1, 1, 10))
    last = run(Smoother(), [person] * 5)[-1]
    np.testing.assert_allclose(last.rotations, person.rotations, atol=1e-9)
    np.testing.assert_allclose(last.translations_m, person.translations_m, atol=1e-9)
    np.testing.assert_allclose(last.betas, person.betas, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_rotations_stay_rotations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = [bodies(Rotation.random(rng=rng), HERE) for _ in range(4)]
    matrices = run(Smoother(), people)[-1].rotations
    identity = np.broadcast_to(np.eye(3), matrices.shape)
    np.testing.assert_allclose(matrices @ matrices.swapaxes(-1, -2), identity, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_rotating_the_world_rotates_the_result(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = Rotation.random(rng=rng)
    sequence = [Rotation.random(rng=rng) for _ in range(4)]
    plain = run(Smoother(), [bodies(rotation, HERE) for rotation in sequence])[-1].rotations
    turned = run(Smoother(), [bodies(world * rotation, HERE) for rotation in sequence])[-1]
    np.testing.assert_allclose(turned.rotations, world.as_matrix() @ plain, atol=1e-8)


def noisy_walk(rng: np.random.Generator, seconds: float) -> tuple[list[Bodies], list[Bodies]]:
    """A swinging, approaching person: truth and measurement."""
    truth, measured = [], []
    for index in range(int(seconds * RATE_HZ)):
        t = index / RATE_HZ
        angle = 0.5 * np.sin(2 * np.pi * 0.8 * t)
        rotation = Rotation.from_rotvec([angle, 0, 0])
        place = np.array([0.2 * np.sin(t), 0.1, 6.0 - t])
        truth.append(bodies(rotation, place))
        noise = Rotation.from_rotvec(rng.normal(0, 0.03, 3))
        seen = place * np.exp(rng.normal(0, 0.03)) + rng.normal(0, 0.004, 3)
        measured.append(bodies(rotation * noise, seen))
    return truth, measured


def jerkiness(people: list[Bodies]) -> float:
    """Mean acceleration of the translation, m/s^2."""
    places = np.concatenate([person.translations_m for person in people])
    return float(np.abs(np.diff(places, 2, axis=0)).mean() * RATE_HZ**2)


def angle_errors(people: list[Bodies], truth: list[Bodies]) -> Floats:
    """Angles between smoothed and true rotations, rad."""
    pairs = zip(people, truth, strict=True)
    return np.array(
        [
            (
                Rotation.from_matrix(a.rotations[0, 0]).inv()
                * Rotation.from_matrix(b.rotations[0, 0])
            ).magnitude()
            for a, b in pairs
        ]
    )


def depth_error(people: list[Bodies], truth: list[Bodies]) -> float:
    """Mean error of the depth after settling, metres."""
    pairs = zip(people[15:], truth[15:], strict=True)
    return float(np.mean([abs(a.translations_m - b.translations_m)[0, 2] for a, b in pairs]))


def test_smoothing_reduces_jitter_with_little_lag() -> None:
    truth, measured = noisy_walk(np.random.default_rng(0), seconds=4)
    smoothed = run(Smoother(), measured)
    assert jerkiness(smoothed) < jerkiness(measured) / 3
    assert depth_error(smoothed, truth) < depth_error(measured, truth)
    swinging = angle_errors(smoothed, truth)[15:].mean()  # up to 2.5 rad/s, so lag dominates
    assert swinging < 1.25 * angle_errors(measured, truth).mean()


def test_a_still_person_jitters_less_in_every_joint() -> None:
    rng = np.random.default_rng(4)
    truth = [bodies(Rotation.identity(), HERE)] * 90
    measured = [bodies(Rotation.from_rotvec(rng.normal(0, 0.03, 3)), HERE) for _ in truth]
    smoothed = run(Smoother(), measured)
    assert angle_errors(smoothed, truth)[15:].mean() < angle_errors(measured, truth).mean() / 2


@pytest.mark.parametrize(
    ("second_stamp_ns", "second_id"),
    [(10**9 + 1, 1), (-5, 1), (0, 1), (10**7, 2)],
    ids=["gap", "rewound", "no time passed", "new id"],
)
def test_filters_are_reset(second_stamp_ns: int, second_id: int) -> None:
    smoother = Smoother(SmoothingConfig(gap_s=1.0))
    smoother.smooth(0, np.array([1]), bodies(Rotation.identity(), HERE))
    other = bodies(Rotation.from_rotvec([0.4, 0, 0]), HERE * 1.5)
    result = smoother.smooth(second_stamp_ns, np.array([second_id]), other)
    np.testing.assert_allclose(result.rotations, other.rotations, atol=1e-12)
    np.testing.assert_allclose(result.translations_m, other.translations_m, atol=1e-12)


def shapes_after(stamps_s: list[float], shapes: list[float]) -> list[float]:
    """Return the smoothed first coefficient of one person's shape in images at these times."""
    smoother = Smoother()
    return [
        float(
            smoother.smooth(
                round(stamp_s * 1e9),
                np.array([1]),
                bodies(Rotation.identity(), HERE, np.full(10, shape, np.float64)),
            ).betas[0, 0]
        )
        for stamp_s, shape in zip(stamps_s, shapes, strict=True)
    ]


@pytest.mark.parametrize("step_s", [0.6, 1.0, 1.5])
def test_a_low_rate_is_no_gap_and_a_longer_absence_is_one(step_s: float) -> None:
    """The third image continues the second, whose filters began anew: one step is not usual."""
    found = shapes_after([0, step_s, 2 * step_s, 6 * step_s], [0, 0, 1, 3])
    assert found == pytest.approx([0, 0, 0.5, 3])


def test_one_long_step_among_short_ones_is_a_gap() -> None:
    stamps_s = [*(number / RATE_HZ for number in range(6)), 0.8]
    assert shapes_after(stamps_s, [0.0] * 6 + [1.0])[-1] == 1.0


def test_people_do_not_affect_each_other_and_keep_their_order() -> None:
    rng = np.random.default_rng(1)
    sequences = [[bodies(Rotation.random(rng=rng), HERE) for _ in range(3)] for _ in range(2)]
    alone = [run(Smoother(), sequence)[-1] for sequence in sequences]
    together = Smoother()
    for index in range(3):
        pair = [sequence[index] for sequence in sequences]
        order = [0, 1] if index % 2 else [1, 0]
        both = Bodies(
            *(
                np.concatenate([getattr(pair[i], name) for i in order])
                for name in ("rotations", "betas", "translations_m")
            )
        )
        result = together.smooth(index * 10**9 // RATE_HZ, np.array(order), both)
    assert order == [1, 0]
    np.testing.assert_allclose(result.rotations[1], alone[0].rotations[0], atol=1e-12)
    np.testing.assert_allclose(result.rotations[0], alone[1].rotations[0], atol=1e-12)


def test_nobody() -> None:
    empty = Bodies(np.empty((0, 24, 3, 3)), np.empty((0, 10)), np.empty((0, 3)))
    assert len(Smoother().smooth(0, np.empty(0, np.int64), empty).betas) == 0


def test_shape_settles_to_the_mean() -> None:
    rng = np.random.default_rng(2)
    people = [bodies(Rotation.identity(), HERE, rng.normal(1.0, 0.5, 10)) for _ in range(60)]
    last = run(Smoother(), people)[-1]
    mean = np.mean([person.betas for person in people], 0)
    np.testing.assert_allclose(last.betas, mean, atol=0.05)


def test_impossible_filters_are_refused() -> None:
    with pytest.raises(ValueError, match="positive cutoffs"):
        OneEuro(0, 1)


@pytest.mark.parametrize("step_ns", [33_000_000, 1_000_000_000])
def test_a_restored_smoother_continues_exactly(step_ns: int) -> None:
    generator = np.random.default_rng(0)

    def bodies(n: int) -> Bodies:
        turns = Rotation.random(24 * n, random_state=int(generator.integers(1000)))
        places = generator.normal((0, 0, 5), size=(n, 3))
        return Bodies(
            turns.as_matrix().reshape(n, 24, 3, 3), generator.normal(size=(n, 10)), places
        )

    first, second = Smoother(), Smoother()
    for step in range(3):
        first.smooth(step * step_ns, np.array([4, 7]), bodies(2))
    second.restore(first.snapshot())
    last = bodies(2)
    expected = first.smooth(3 * step_ns, np.array([7, 4]), last)
    got = second.smooth(3 * step_ns, np.array([7, 4]), last)
    assert np.abs(expected.betas - last.betas).min() > 0
    np.testing.assert_allclose(got.rotations, expected.rotations, atol=1e-12)
    np.testing.assert_array_equal(got.betas, expected.betas)
    np.testing.assert_array_equal(got.translations_m, expected.translations_m)


def test_an_empty_state_is_restored() -> None:
    smoother = Smoother()
    smoother.restore(Smoother().snapshot())
    assert len(smoother.snapshot()["ids"]) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["rotations", "betas", "translations_m"])
def test_non_finite_values_affect_one_image_of_one_person(name: str, value: float) -> None:
    rng = np.random.default_rng(3)
    smoother, alone = Smoother(), Smoother()
    for index in range(40):
        pair = [bodies(Rotation.random(rng=rng), HERE * rng.uniform(0.9, 1.1)) for _ in range(2)]
        if index == 5:
            getattr(pair[0], name)[0, ..., 0] = value
        names = ("rotations", "betas", "translations_m")
        both = Bodies(*(np.concatenate([getattr(p, n) for p in pair]) for n in names))
        stamp_ns = index * 10**9 // RATE_HZ
        result = smoother.smooth(stamp_ns, np.array([7, 8]), both)
        other = alone.smooth(stamp_ns, np.array([8]), pair[1])
        for each in names:
            finite = np.isfinite(getattr(result, each)[0]).all()
            assert finite == ((index, each) != (5, name)), (index, each)
            np.testing.assert_array_equal(getattr(result, each)[1], getattr(other, each)[0])
            if index in (0, 6):  # the filters start anew
                first = getattr(result, each)[0]
                np.testing.assert_allclose(first, getattr(both, each)[0], atol=1e-12)


@pytest.mark.parametrize("rotation", [np.zeros((3, 3)), np.diag([1.0, 1.0, -1.0])])
def test_invalid_rotations_are_passed_through_and_forgotten(rotation: Floats) -> None:
    smoother = Smoother()
    smoother.smooth(0, np.array([1]), bodies(Rotation.identity(), HERE))
    broken = bodies(Rotation.identity(), HERE)
    broken.rotations[0, 4] = rotation
    result = smoother.smooth(10**7, np.array([1]), broken)
    np.testing.assert_array_equal(result.rotations, broken.rotations)
    assert len(smoother.snapshot()["ids"]) == 0


@pytest.mark.parametrize("place", [[3.0, 0.1, 0.02], [-2.0, 0.5, -0.1], [0.0, 0.0, 0.11]])
def test_people_at_right_angles_to_the_axis_are_smoothed(place: list[float]) -> None:
    """As seen by a fisheye; their depth may be close to zero, or negative."""
    rng = np.random.default_rng(5)
    people = [
        bodies(Rotation.identity(), np.array(place) + rng.normal(0, 0.01, 3)) for _ in range(40)
    ]
    smoothed = run(Smoother(), people)
    assert jerkiness(smoothed) < jerkiness(people) / 2
    np.testing.assert_allclose(smoothed[-1].translations_m[0], place, atol=0.02)
