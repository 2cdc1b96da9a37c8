"""What is remembered of tracks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from smpler_model.views.matching import FARTHEST, match_views
from smpler_model.views.memory import LASTING_S, ViewMemory

MS = 1_000_000
IDS = np.array([4, 9], np.int64)


def pair(cost: float) -> np.ndarray:
    return np.array([[np.inf, cost], [cost, np.inf]])


def joins(memory: ViewMemory, stamp_ms: int, cost: float) -> bool:
    return len(match_views(memory.at(stamp_ms * MS).average(IDS, pair(cost)))) == 1


def test_the_first_moment_decides_alone() -> None:
    for cost in (0.5 * FARTHEST, 1.5 * FARTHEST):
        found = ViewMemory().at(0).average(IDS, pair(cost))
        np.testing.assert_allclose(found, pair(cost))


def test_a_join_that_held_does_not_break_in_one_bad_image() -> None:
    memory = ViewMemory()
    assert all(joins(memory, 33 * n, 0.4 * FARTHEST) for n in range(30))
    assert joins(memory, 990, 4 * FARTHEST)
    assert not joins(ViewMemory(), 990, 4 * FARTHEST)


def test_a_wrong_join_is_undone_when_views_go_on_to_disagree() -> None:
    memory = ViewMemory()
    assert all(joins(memory, 33 * n, 0.6 * FARTHEST) for n in range(30))
    held = [joins(memory, 990 + 33 * n, 1.8 * FARTHEST) for n in range(60)]
    assert held[0]
    assert not held[-1]
    assert not held[round(1.5 * LASTING_S / 0.033)]


@settings(max_examples=30)
@given(
    st.lists(st.floats(0, 50), min_size=1, max_size=20),
    st.integers(1, 300),
)
def test_costs_are_means_whose_weights_fall_with_age(costs: list[float], step_ms: int) -> None:
    memory = ViewMemory()
    for number, cost in enumerate(costs):
        found = memory.at(number * step_ms * MS).average(IDS, pair(cost))
    ages = step_ms / 1e3 * np.arange(len(costs))[::-1]
    expected = np.average(costs, weights=np.exp(-ages / LASTING_S))
    np.testing.assert_allclose(found, pair(expected), rtol=1e-9, atol=1e-9)


def test_tracks_come_and_go_and_time_may_run_backwards() -> None:
    memory = ViewMemory()
    memory.at(0).average(IDS, pair(50))
    three = np.full((3, 3), 2.0)
    found = memory.at(0).average(np.array([9, 7, 4]), three)
    np.testing.assert_allclose(found, [[2, 2, 26], [2, 2, 2], [26, 2, 2]])
    np.testing.assert_allclose(memory.at(-MS).average(IDS, pair(3)), pair(3))
    memory.at(60_000 * MS)
    assert len(memory.snapshot()["past_ids"]) == 0


def test_facings_fade() -> None:
    memory = ViewMemory()
    memory.at(0).keep(IDS, np.eye(3)[:2])
    found = memory.at(round(LASTING_S * 1e9)).expect(np.array([[9, 1], [4, 9]]))
    np.testing.assert_allclose(found[:, 0], np.exp(-1) * np.eye(3)[[1, 0]])
    np.testing.assert_allclose(found[0, 1], 0)


def test_a_restored_memory_goes_on_as_if_nothing_had_happened() -> None:
    memory, other = ViewMemory(), ViewMemory()
    for number in range(5):
        memory.at(33 * number * MS).average(IDS, pair(number))
    memory.keep(IDS, np.eye(3)[:2])
    other.restore({name: values.copy() for name, values in memory.snapshot().items()})
    for each in (memory, other):
        each.at(200 * MS)
    np.testing.assert_array_equal(memory.expect(IDS), other.expect(IDS))
    np.testing.assert_array_equal(memory.average(IDS, pair(1)), other.average(IDS, pair(1)))
