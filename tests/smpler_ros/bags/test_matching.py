import numpy as np
from hypothesis import given

from smpler_model.detectors.box_overlap import box_overlaps
from smpler_ros.bags.matching import match_boxes
from tests.smpler_model.detectors.test_box_overlap import boxes


@given(boxes, boxes)
def test_pairs_are_one_to_one_and_overlap_enough(first: np.ndarray, second: np.ndarray) -> None:
    rows, columns, iou = match_boxes(first, second, 0.3)
    assert len(set(rows.tolist())) == len(rows) == len(columns) == len(set(columns.tolist()))
    assert (iou >= 0.3).all()


def test_the_sum_is_maximal_regardless_of_order() -> None:
    # The first box fits both; the second only the first true one, which a greedy match would take.
    found = np.array([[0, 0, 10, 10.0], [2, 0, 12, 10.0]])
    true = np.array([[0.5, 0, 10.5, 10.0], [-4, 0, 6, 10.0]])
    overlaps = box_overlaps(found, true)
    assert overlaps[0, 0] > overlaps[1, 0] > 0.5 > overlaps[0, 1] > 0.4
    rows, columns, _ = match_boxes(found, true, 0.4)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_a_pair_below_the_minimum_does_not_displace_a_good_one() -> None:
    found = np.array([[0, 0, 10, 10.0], [9, 0, 19, 10.0]])
    true = np.array([[0, 0, 10, 10.0]])
    rows, columns, iou = match_boxes(found, true)
    assert (rows.tolist(), columns.tolist(), iou.tolist()) == ([0], [0], [1.0])
