"""The person who fills a photo is located, and gets a box."""

import cv2
import numpy as np
import pytest

from tests.training.data.labelling.made_up_teacher import SPOTS, find_spots
from tests.training.data.labelling.test_agreement import person
from training.data.labelling.ccp import boxes_around, find
from training.data.labelling.landmarks import LANDMARKS
from training.data.labelling.pose_network import with_mirror

HIP, NOSE = LANDMARKS.index("left_hip"), LANDMARKS.index("nose")
CENTRE, END = len(LANDMARKS), len(LANDMARKS) + 1


def photo(end: tuple[int, int]) -> np.ndarray:
    """Return a photo of a person whose region ends at a given point."""
    image = np.zeros((400, 300, 3), np.uint8)
    for row, place in {HIP: (120, 200), NOSE: (150, 90), CENTRE: (150, 200), END: end}.items():
        cv2.circle(image, place, 9, SPOTS[row], -1)
    return image


def test_both_networks_see_the_same_person() -> None:
    answers = find(photo((150, 30)), with_mirror(find_spots), find_spots)
    assert answers.points_px.shape == (2, len(LANDMARKS), 2)
    for row in range(2):
        np.testing.assert_allclose(answers.points_px[row, NOSE], [150, 90], atol=1)
    np.testing.assert_allclose(answers.points_px[1, HIP], [120, 200], atol=1)
    assert answers.spread_m[0].any()
    assert not answers.spread_m[1].any()


@pytest.mark.parametrize("image", [photo((150, 197)), np.zeros((400, 300, 3), np.uint8)])
def test_people_who_do_not_fill_the_photo_are_ignored(image: np.ndarray) -> None:
    answers = find(image, find_spots, find_spots)
    assert answers.points_px.shape == (2, len(LANDMARKS), 2)
    assert not answers.score.any()


def test_boxes_have_margins_for_hair_and_shoes() -> None:
    answers = person()  # 34 to 166 and 10 to 210
    answers.points_px[0, NOSE] = 1000
    answers.visibility[0, NOSE] = 0
    expected = [[34 - 10, 10 - 24, 166 + 10, 210 + 8]]
    np.testing.assert_allclose(boxes_around(answers), expected)
