from hypothesis import given
from hypothesis import strategies as st

from smpler_ros.pairing import Found, Pairing, Partner

DEPTH = Partner("depth", required=False)
BOXES = Partner("detections", required=True)


def collect(*partners: Partner) -> tuple[Pairing[str], list[tuple[str, Found[str]]]]:
    out: list[tuple[str, Found[str]]] = []
    pairing = Pairing[str](partners, 10, lambda image, found: out.append((image, found)))
    return pairing, out


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


def test_the_nearest_partner_is_taken() -> None:
    pairing, out = collect(DEPTH)
    pairing.add_partner("depth", 93, "near")
    pairing.add_partner("depth", 98, "nearer")
    pairing.add_image(100, "a")
    assert out == [("a", {"depth": "nearer"})]


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
