from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.bags.stamp_order import REWIND_NS, WINDOW, Companions, StampedMessage, StampOrder


def stamped(stamps: list[int], topic: str = "a") -> list[StampedMessage]:
    return [StampedMessage(topic, stamp, index) for index, stamp in enumerate(stamps)]


@given(st.lists(st.integers(0, 50), max_size=40), st.randoms())
def test_messages_within_the_window_are_sorted(steps: list[int], random: object) -> None:
    stamps = [sum(steps[: i + 1]) for i in range(len(steps))]
    moved = sorted(range(len(stamps)), key=lambda i: i + random.uniform(0, WINDOW - 1))
    given_stamps = [
        each.stamp_ns for each in StampOrder(1).sort(stamped([stamps[i] for i in moved]))
    ]
    assert given_stamps == stamps


@given(st.lists(st.integers(0, 3 * REWIND_NS), max_size=60))
def test_nothing_is_lost_or_repeated(stamps: list[int]) -> None:
    out = list(StampOrder(2).sort(stamped(stamps)))
    assert sorted(each.message for each in out) == list(range(len(stamps)))


def test_memory_is_bounded() -> None:
    order, taken = StampOrder(1), 0

    def stream() -> Iterator[StampedMessage]:
        nonlocal taken
        for each in stamped(list(range(100))):
            taken += 1
            yield each

    for given_count, _ in enumerate(order.sort(stream())):
        assert taken <= given_count + WINDOW + 1


def test_buffered_messages_are_yielded_before_an_error() -> None:
    def breaks() -> Iterator[StampedMessage]:
        yield from stamped([3, 1, 2])
        raise ValueError("broke off")

    out = StampOrder(1).sort(breaks())
    assert [next(out).stamp_ns for _ in range(3)] == [1, 2, 3]
    with pytest.raises(ValueError, match="broke off"):
        next(out)


def test_images_come_after_their_companions() -> None:
    stream = [StampedMessage("image", 5, 0), StampedMessage("info", 5, 1)]
    out = StampOrder(2, last=["image"]).sort(stream)
    assert [each.topic for each in out] == ["info", "image"]


def test_a_companion_is_the_nearest_within_the_tolerance() -> None:
    order = StampOrder(1)
    companions = Companions("depth", "image", 10, order)
    for each in stamped([0, 30, 60], "depth"):
        companions.add(each)
    assert companions.nearest(33) == 1
    assert companions.nearest(52) == 2
    assert companions.nearest(45) is None


def test_a_companion_belongs_to_one_image() -> None:
    order = StampOrder(2, last=["image"])
    companions = Companions("depth", "image", 20, order)
    found: dict[int, int | None] = {}
    for each in order.sort([*stamped([0, 33, 66], "image"), *stamped([16, 50], "depth")]):
        companions.add(each)
        if each.topic == "image":
            found[each.stamp_ns] = companions.nearest(each.stamp_ns)
    assert found == {0: 0, 33: None, 66: 1}
