"""The nearest of values by timestamp."""

from hypothesis import given
from hypothesis import strategies as st

from smpler_model.viewing.by_stamp import ByStamp


@given(stamps_ns=st.lists(st.integers(0, 60)), most_ns=st.integers(0, 9))
def test_the_nearest_is_that_of_a_search_through_all(stamps_ns: list[int], most_ns: int) -> None:
    values = {stamp_ns: f"at {stamp_ns}" for stamp_ns in stamps_ns}
    by_stamp = ByStamp(values)
    for stamp_ns in range(-5, 66):
        order = sorted(stamps_ns, key=lambda each: (abs(each - stamp_ns), each))
        expected = values[order[0]] if order else None
        assert by_stamp.nearest(stamp_ns) == expected
        is_near = bool(order) and abs(order[0] - stamp_ns) <= most_ns
        assert by_stamp.nearest(stamp_ns, most_ns) == (expected if is_near else None)
