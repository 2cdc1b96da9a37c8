import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_ros.inputs.stamp_pairing import Found, Pairing, Partner

DEPTH = Partner("depth", required=False)
BOXES = Partner("detections", required=True)


def collect(*partners: Partner) -> tuple[Pairing[str], list[tuple[str, Found[str]]]]:
    pairing, out, _ = collect_all(*partners)
    return pairing, out


def collect_all(
    *partners: Partner,
) -> tuple[Pairing[str], list[tuple[str, Found[str]]], list[str]]:
    """Return a pairing, the images it hands on, and those it loses."""
    out: list[tuple[str, Found[str]]] = []
    lost: list[str] = []
    pairing = Pairing[str](
        partners,
        10,
        lambda image, found: out.append((image, found)),
        lambda image, _found: lost.append(image),
        wait_ns=1000,
        depth=16,
    )
    return pairing, out, lost


def test_without_partners_images_go_on_at_once() -> None:
    pairing, out = collect()
    pairing.add_image(0, "a")
    assert out == [("a", {})]


def test_an_image_waits_for_its_depth() -> None:
    pairing, out = collect(DEPTH)
    pairing.add_image(100, "a")
    assert out == []
    pairing.add_partner("depth", 108, "d")
    assert out == [("a", {"depth": "d"})]


def test_depth_may_come_first() -> None:
    pairing, out = collect(DEPTH)
    pairing.add_partner("depth", 92, "d")
    pairing.add_image(100, "a")
    assert out == [("a", {"depth": "d"})]


def test_without_depth_an_image_goes_on_when_the_next_one_comes() -> None:
    pairing, out = collect(DEPTH)
    pairing.add_image(100, "a")
    pairing.add_partner("depth", 80, "old")
    pairing.add_image(200, "b")
    assert out == [("a", {"depth": None})]


def test_an_image_without_boxes_is_dropped() -> None:
    pairing, out = collect(BOXES)
    pairing.add_image(100, "a")
    pairing.add_image(200, "b")
    pairing.add_partner("detections", 200, "boxes of b")
    pairing.add_partner("detections", 100, "too late")
    assert out == [("b", {"detections": "boxes of b"})]


def test_boxes_may_come_many_images_late() -> None:
    pairing, out, lost = collect_all(BOXES)
    for index in range(11):
        pairing.add_image(100 * index, str(index))
    assert (out, lost) == ([], [])
    pairing.add_partner("detections", 300, "boxes of 3")
    assert out == [("3", {"detections": "boxes of 3"})]
    assert lost == ["0", "1", "2"]


def test_what_waits_too_long_is_lost_and_counted() -> None:
    pairing, out, lost = collect_all(BOXES)
    for index in range(14):
        pairing.add_image(100 * index, str(index))
    assert lost == ["0", "1", "2"]
    assert out == []


def test_no_more_images_wait_than_there_is_room_for() -> None:
    pairing, _, lost = collect_all(BOXES)
    for index in range(20):
        pairing.add_image(index, str(index))
    assert lost == ["0", "1", "2", "3"]


def test_a_clock_that_is_set_back_ends_the_wait() -> None:
    pairing, out, lost = collect_all(BOXES)
    pairing.add_image(10_000, "before")
    pairing.add_partner("detections", 12_000, "of nothing")
    pairing.add_image(0, "after")
    pairing.add_partner("detections", 0, "boxes")
    assert lost == ["before"]
    assert out == [("after", {"detections": "boxes"})]


def test_a_clock_that_is_set_back_is_noticed_when_nothing_waits() -> None:
    pairing, out, lost = collect_all(DEPTH)
    for stamp in (5000, 5100):
        pairing.add_image(stamp, str(stamp))
        pairing.add_partner("depth", stamp, f"depth of {stamp}")
    pairing.add_partner("depth", 100, "depth of the new 100")  # before its image
    pairing.add_image(100, "100")
    pairing.add_image(200, "200")
    pairing.add_image(5100, "5100 again")
    assert out[2:] == [("100", {"depth": "depth of the new 100"}), ("200", {"depth": None})]
    assert lost == []


def test_what_waits_for_depth_alone_is_not_lost_when_the_clock_is_set_back() -> None:
    pairing, out, lost = collect_all(DEPTH)
    pairing.add_image(5000, "before")
    pairing.add_image(0, "after")
    assert (out, lost) == ([("before", {"depth": None})], [])


def test_partners_that_fit_no_image_any_more_are_let_go() -> None:
    pairing, out, _ = collect_all(DEPTH)
    for index in range(40):
        pairing.add_image(100 * index, str(index))
        pairing.add_partner("depth", 100 * index, f"depth of {index}")
    assert len(out) == 40
    assert sum(map(len, pairing._waiting.values())) <= 2


def test_tells_how_far_stamps_are_apart() -> None:
    pairing, _, _ = collect_all(BOXES)
    pairing.add_image(100, "a")
    assert pairing.gap_ns("detections") is None
    pairing.add_partner("detections", 140, "boxes of another clock")
    assert pairing.gap_ns("detections") == 40
    pairing.add_partner("detections", 30, "boxes of an image that waits no longer")
    assert pairing.gap_ns("detections") == -70
    pairing.add_image(200, "b")
    assert pairing.gap_ns("detections") == -70


def test_the_nearest_partner_is_taken() -> None:
    pairing, out = collect(DEPTH)
    pairing.add_partner("depth", 93, "near")
    pairing.add_partner("depth", 98, "nearer")
    pairing.add_image(100, "a")
    assert out == [("a", {"depth": "nearer"})]


@pytest.mark.parametrize(
    ("partner", "late"), [(DEPTH, 0), (DEPTH, 2), (BOXES, 0), (BOXES, 2), (BOXES, 13)]
)
@pytest.mark.parametrize("period", [6, 9, 10])
def test_images_closer_together_than_the_tolerance_get_their_own(
    partner: Partner, period: int, late: int
) -> None:
    pairing, out, lost = collect_all(partner)
    arrivals = [(index * period, True, index) for index in range(12)]
    arrivals += [(index * period + late, False, index) for index in range(2, 12)]
    for _, is_image, index in sorted(arrivals, key=lambda each: (each[0], not each[1])):
        if is_image:
            pairing.add_image(index * period, str(index))
        else:
            pairing.add_partner(partner.name, index * period, str(index))
    got = {image: found[partner.name] for image, found in out}
    assert {image: mine for image, mine in got.items() if mine is not None} == {
        str(index): str(index) for index in range(2, 12)
    }
    assert lost == (["0", "1"] if partner.required else [])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=60))
def test_images_come_once_and_in_order(events: list[tuple[bool, int]]) -> None:
    pairing, out = collect(DEPTH)
    count = 0
    for is_image, jitter in events:
        if is_image:
            pairing.add_image(100 * count, str(count))
            count += 1
        else:
            pairing.add_partner("depth", 100 * count + jitter - 15, "d")
    numbers = [int(image) for image, _ in out]
    assert numbers == sorted(set(numbers))
    assert numbers[: max(count - 1, 0)] == list(range(max(count - 1, 0)))
