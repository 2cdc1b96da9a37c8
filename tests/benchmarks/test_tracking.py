import numpy as np
import pytest

from benchmarks.tracking import CAMERA, TrackingCounts, match

pytestmark = pytest.mark.slow

LEFT, RIGHT = [0.0, 0, 40, 100], [200.0, 0, 240, 100]


def boxes(*rows: list[float]) -> np.ndarray:
    return np.array(rows).reshape(-1, 4)


def test_boxes_that_overlap_by_half_belong_together() -> None:
    moved = [5.0, 0, 45, 100]
    assert match(boxes(LEFT, RIGHT), boxes(RIGHT, moved)) == [(0, 1), (1, 0)]
    assert match(boxes(LEFT), boxes([30.0, 0, 70, 100])) == []
    assert match(boxes(), boxes(LEFT)) == []


@pytest.mark.parametrize(
    ("frames", "switches", "missed", "false"),
    [
        ([[5, 6], [5, 6], [5, 6]], 0, 0, 0),
        ([[5, 6], [6, 5], [6, 5]], 2, 0, 0),
        ([[5, 6], [5, 7], [5, 6]], 2, 0, 0),
    ],
    ids=["kept", "swapped", "lost and found"],
)
def test_switches_are_changes_of_a_person_s_id(
    frames: list[list[int]], switches: int, missed: int, false: int
) -> None:
    tally = TrackingCounts()
    tally.begin()
    for ids in frames:
        tally.add([1, 2], boxes(LEFT, RIGHT), ids, boxes(LEFT, RIGHT))
    assert (tally.switches, tally.missed, tally.false) == (switches, missed, false)
    assert tally.people == 6


def test_a_gap_with_another_id_behind_it_is_a_switch_and_another_sequence_is_not() -> None:
    tally = TrackingCounts()
    for ids in ([5], [], [7]):
        tally.add([1], boxes(LEFT), ids, boxes(*[LEFT] * len(ids)))
    assert (tally.switches, tally.missed) == (1, 1)
    tally.begin()
    tally.add([1], boxes(LEFT), [9], boxes(LEFT))
    assert tally.switches == 1
    tally.add([], boxes(), [9], boxes(RIGHT))
    assert tally.false == 1


def test_who_comes_back_through_the_edge_is_new_and_who_was_hidden_is_not() -> None:
    tally, middle = TrackingCounts(), boxes(RIGHT)
    tally.begin()
    for ids, true_ids, where in (([5], [1], middle), ([], [], boxes()), ([6], [1], middle)):
        tally.add(true_ids, where, ids, where)
    assert (tally.switches, tally.returns) == (1, 0)
    tally.begin()
    edge = boxes([CAMERA.width - 41.0, 0, CAMERA.width - 1, 100])
    for ids, true_ids, where in (([5], [1], edge), ([], [], boxes()), ([6], [1], edge)):
        tally.add(true_ids, where, ids, where)
    assert (tally.switches, tally.returns) == (1, 1)


def test_a_pair_remains_while_it_overlaps_enough() -> None:
    tally, one = TrackingCounts(), [300.0, 0, 340, 100]
    tally.begin()
    tally.add([1, 2], boxes(one, [350.0, 0, 390, 100]), [5, 6], boxes(one, [350.0, 0, 390, 100]))
    # Both people are in the box of the first one, which fits the second a little better.
    tally.add([1, 2], boxes(one, [303.0, 0, 343, 100]), [5], boxes([303.0, 0, 343, 100]))
    assert (tally.switches, tally.missed) == (0, 1)


def test_a_pair_of_earlier_images_has_no_precedence() -> None:
    one, other = [300.0, 0, 340, 100], [306.0, 0, 346, 100]
    tally = TrackingCounts()
    tally.begin()
    tally.add([1], boxes(one), [5], boxes(one))
    tally.add([1], boxes(one), [], boxes())
    tally.add([1], boxes(one), [5, 6], boxes(other, one))
    assert (tally.switches, tally.missed, tally.false) == (1, 1, 1)


def test_one_track_is_not_two_people_s_even_if_both_were_it_last() -> None:
    one, other = [300.0, 0, 340, 100], [306.0, 0, 346, 100]
    tally = TrackingCounts()
    tally.begin()
    tally.add([1, 2], boxes(one, RIGHT), [5, 6], boxes(one, RIGHT))
    tally.add([2], boxes(other), [5], boxes(other))  # a swap, while person 1 is hidden
    tally.add([1, 2], boxes(one, other), [5], boxes(one))
    assert (tally.switches, tally.missed, tally.false) == (1, 1, 0)
