"""People are divided into integer shares by weight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.shares import share_out


@given(
    st.lists(st.floats(0.01, 100), min_size=1, max_size=5),
    st.integers(5, 300),
)
def test_everybody_is_assigned_and_every_share_is_positive(
    weights: list[float], people: int
) -> None:
    shares = share_out(people, weights)
    assert sum(shares) == people
    assert min(shares) >= 1


def test_shares_follow_the_weights() -> None:
    assert share_out(32, [3, 1]) == (24, 8)
    assert share_out(10, [1, 1, 1]) == (3, 4, 3)
    assert share_out(8, [1000, 1]) == (7, 1)


def test_fewer_people_than_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="a person of each of 3 sources, got 2"):
        share_out(2, [1, 1, 1])
