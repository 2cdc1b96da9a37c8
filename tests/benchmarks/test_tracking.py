import numpy as np
import pytest

from benchmarks.tracking import TrackingCounts, match

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
