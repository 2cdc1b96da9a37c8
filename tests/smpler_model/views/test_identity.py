"""Common ids of people in several views."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.people.tracker import IdSource
from smpler_model.views.identity import CommonIds

S = 10**9


def test_a_person_keeps_the_id_from_view_to_view() -> None:
    ids = CommonIds()
    assert ids.name(0, [{"a": 3, "b": 7}, {"a": 4}]) == [0, 1]
    assert ids.name(1, [{"a": 4, "b": 9}, {"b": 7}]) == [1, 0]
    assert ids.name(2, [{"b": 7, "c": 11}]) == [0]
    assert ids.name(3, [{"c": 11}, {"b": 9}]) == [0, 1]


def test_of_two_who_claim_an_id_more_tracks_win() -> None:
    ids = CommonIds()
    assert ids.name(0, [{"a": 0, "b": 1, "c": 2}]) == [0]
    assert ids.name(1, [{"a": 0}, {"b": 1, "c": 2}]) == [1, 0]


def test_time_that_runs_back_and_long_absence_end_an_id() -> None:
    ids = CommonIds()
    assert ids.name(5 * S, [{"a": 0}]) == [0]
    assert ids.name(4 * S, [{"a": 0}]) == [1]
    assert ids.name(20 * S, [{"b": 9}]) == [2]
    assert ids.name(21 * S, [{"a": 0}]) == [3]


def test_tracks_are_remembered_for_as_long_as_they_may_be_absent() -> None:
    ids = CommonIds()
    assert ids.name(0, [{"a": 0}], 60.0) == [0]
    assert ids.name(50 * S, [{"b": 9}], 60.0) == [1]
    assert ids.name(51 * S, [{"a": 0}], 60.0) == [0]
    assert ids.name(100 * S, [{"b": 8}], 20.0) == [2]
    assert ids.name(101 * S, [{"a": 0}], 20.0) == [3]


def test_those_with_one_source_share_no_id() -> None:
    source = IdSource()
    first, second = CommonIds(source), CommonIds(source)
    assert first.name(0, [{"a": 0}]) == [0]
    assert second.name(0, [{"a": 0}]) == [1]
    second.restore(second.snapshot() | {"clock": np.array([5, 0])})
    assert second.name(1, [{"a": 0}, {"a": 1}]) == [1, 5]
    assert first.name(1, [{"a": 0}, {"a": 1}]) == [0, 6]


@given(seed=st.integers(0, 2**31))
def test_ids_are_unique_and_independent_of_the_order_of_cameras(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forwards, backwards = CommonIds(), CommonIds()
    for stamp in range(5):
        tracks = {camera: iter(rng.permutation(3) + 10 * k) for k, camera in enumerate("abc")}
        groups = [
            {camera: int(next(tracks[camera])) for camera in "abc" if rng.random() < 0.7}
            for _ in range(3)
        ]
        groups = [group for group in groups if group]
        found = forwards.name(stamp, groups)
        assert len(set(found)) == len(groups)
        assert backwards.name(stamp, [dict(reversed(group.items())) for group in groups]) == found
