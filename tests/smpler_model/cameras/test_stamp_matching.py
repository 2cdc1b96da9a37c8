import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.cameras.stamp_matching import partner_of

STAMPS = st.lists(st.integers(0, 60), min_size=1, max_size=8, unique=True)


@pytest.mark.parametrize(
    ("image", "partners", "images", "place"),
    [
        (100, [], [100], None),
        (100, [111], [100], None),
        (100, [93, 98, 106], [100], 1),
        (100, [95, 105], [100], 0),
        (100, [106], [100, 110], None),
        (110, [106], [100, 110], 0),
        (100, [105], [100, 110], 0),
        (110, [105], [100, 110], None),
        (100, [104, 96], [88, 100], 1),
        (100, [109], [], 0),
    ],
)
def test_the_nearest_own_partner_is_found(
    image: int, partners: list[int], images: list[int], place: int | None
) -> None:
    assert partner_of(image, partners, images, 10) == place


@given(STAMPS, STAMPS, st.integers(0, 30))
def test_no_partner_matches_two_images(
    images: list[int], partners: list[int], tolerance: int
) -> None:
    places = [partner_of(image, partners, images, tolerance) for image in images]
    given_away = [place for place in places if place is not None]
    assert len(given_away) == len(set(given_away))
    for image, place in zip(images, places, strict=True):
        if place is not None:
            assert abs(partners[place] - image) <= tolerance
