import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.bags.stamp_order import Companions, StampedMessage, StampOrder
from smpler_ros.inputs.stamp_pairing import ALONE_AFTER_S, Found, Pairing, Partner

DEPTH = Partner("depth", required=False, wait_ns=300)
BOXES = Partner("detections", required=True, wait_ns=1000)


def collect(*partners: Partner) -> tuple[Pairing[str], list[tuple[str, Found[str]]]]:
    pairing, out, _ = collect_all(*partners)
    return pairing, out


def collect_all(
    *partners: Partner,
) -> tuple[Pairing[str], list[tuple[str, Found[str]]], list[str]]:
    """Return a pairing, the images it passes on, and those it drops."""
    out: list[tuple[str, Found[str]]] = []
    lost: list[str] = []
    pairing = Pairing[str](
        partners,
        10,
        lambda image, found: out.append((image, found)),
        lambda image, _found: lost.append(image),
        depth=16,
        rewind_ns=1000,
    )
    return pairing, out, lost


def test_without_partners_images_are_passed_on_at_once() -> None:
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


def test_depth_may_come_some_images_late() -> None:
    pairing, out = collect(DEPTH)
    for stamp in range(0, 1000, 100):
        pairing.add_image(stamp, str(stamp))
        if stamp >= 300:
            pairing.add_partner("depth", stamp - 300, f"of {stamp - 300}")
    assert out == [(str(t), {"depth": f"of {t}"}) for t in range(0, 700, 100)]


def test_an_image_is_passed_on_when_later_depth_arrives() -> None:
    pairing, out = collect(DEPTH)
    pairing.add_image(100, "a")
    pairing.add_image(200, "b")
    assert out == []
    pairing.add_partner("depth", 200, "of b")
    assert out == [("a", {"depth": None}), ("b", {"depth": "of b"})]


def test_images_stop_waiting_for_missing_depth() -> None:
    pairing, out = collect(DEPTH)
    pairing.add_image(0, "0")
    for stamp in (100, 200, 300):
        pairing.add_image(stamp, str(stamp))
        assert out == []
    for stamp in (400, 500, 600):
        pairing.add_image(stamp, str(stamp))
        assert [image for image, _ in out] == [str(t) for t in range(0, stamp + 1, 100)]
    pairing.add_partner("depth", 600, "too late for 600, which has gone")
    pairing.add_image(700, "700")
    assert out[-1][0] == "600"
    pairing.add_image(800, "800")
    assert out[-1] == ("700", {"depth": None})


def test_images_wait_again_for_recovered_depth() -> None:
    pairing, out = collect(DEPTH)
    for stamp in range(0, 500, 100):
        pairing.add_image(stamp, str(stamp))
    for stamp in range(500, 3000, 100):
        pairing.add_image(stamp, str(stamp))
        if stamp >= 700:
            pairing.add_partner("depth", stamp - 200, f"of {stamp - 200}")
    found = {image: mine["depth"] for image, mine in out}
    assert found["500"] is None
    assert [found[str(t)] for t in range(2000, 2800, 100)] == [
        f"of {t}" for t in range(2000, 2800, 100)
    ]


def test_rare_depth_is_used_at_any_rate() -> None:
    pairing, out = collect(DEPTH)
    for stamp in range(0, 40_000, 1000):  # farther apart than depth is waited for
        pairing.add_image(stamp, str(stamp))
        if stamp % 5000 == 0:
            pairing.add_partner("depth", stamp, f"of {stamp}")
    found = {int(image): mine["depth"] for image, mine in out}
    assert [stamp for stamp, depth in found.items() if depth] == [0, *range(10_000, 36_000, 5000)]


def test_a_last_image_is_passed_on_without_depth_after_a_while() -> None:
    now_s = 10.0
    out: list[tuple[str, Found[str]]] = []
    pairing = Pairing[str](
        (DEPTH,),
        10,
        lambda image, found: out.append((image, found)),
        lambda *_: None,
        clock=lambda: now_s,
    )
    pairing.add_image(100, "a")
    now_s += ALONE_AFTER_S / 2
    pairing.release()
    assert out == []
    now_s += ALONE_AFTER_S / 2
    pairing.release()
    assert out == [("a", {"depth": None})]


def test_a_last_image_waits_for_its_boxes() -> None:
    now_s = 10.0
    lost: list[str] = []
    pairing = Pairing[str](
        (BOXES,),
        10,
        lambda *_: None,
        lambda image, _: lost.append(image),
        clock=lambda: now_s,
    )
    pairing.add_image(100, "a")
    now_s += 10 * ALONE_AFTER_S
    pairing.release()
    assert lost == []


@pytest.mark.parametrize("partner", [DEPTH, BOXES])
def test_a_partner_matches_one_of_two_equally_near_images(partner: Partner) -> None:
    pairing, out, lost = collect_all(partner)
    pairing.add_image(100, "a")
    pairing.add_image(116, "b")
    pairing.add_partner(partner.name, 108, "between")
    pairing.add_image(3000, "end")
    assert out[0] == ("a", {partner.name: "between"})
    assert out[1:2] == ([("b", {"depth": None})] if partner is DEPTH else [])
    assert lost == ([] if partner is DEPTH else ["b"])


def test_a_partner_is_kept_for_a_nearer_next_image() -> None:
    pairing, out = collect(DEPTH)
    for stamp in (0, 16):
        pairing.add_image(stamp, str(stamp))
        pairing.add_partner("depth", stamp, f"of {stamp}")
    pairing.add_image(32, "32")
    pairing.add_partner("depth", 41, "nearer to 48")
    assert len(out) == 2
    pairing.add_image(48, "48")
    pairing.add_partner("depth", 64, "of 64")
    assert out[2:] == [("32", {"depth": None}), ("48", {"depth": "nearer to 48"})]


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


def test_images_that_wait_too_long_are_dropped_and_counted() -> None:
    pairing, out, lost = collect_all(BOXES)
    for index in range(14):
        pairing.add_image(100 * index, str(index))
    assert lost == ["0", "1", "2"]
    assert out == []


def test_the_number_of_waiting_images_is_limited() -> None:
    pairing, _, lost = collect_all(BOXES)
    for index in range(20):
        pairing.add_image(index, str(index))
    assert lost == ["0", "1", "2", "3"]


def test_a_clock_set_back_ends_the_wait() -> None:
    pairing, out, lost = collect_all(BOXES)
    pairing.add_image(10_000, "before")
    pairing.add_partner("detections", 12_000, "of nothing")
    pairing.add_image(0, "after")
    pairing.add_partner("detections", 0, "boxes")
    assert lost == ["before"]
    assert out == [("after", {"detections": "boxes"})]


def test_a_clock_set_back_is_detected_without_waiting_images() -> None:
    pairing, out, lost = collect_all(DEPTH)
    for stamp in (5000, 5100):
        pairing.add_image(stamp, str(stamp))
        pairing.add_partner("depth", stamp, f"depth of {stamp}")
    pairing.add_partner("depth", 100, "depth of the new 100")  # before its image
    pairing.add_image(100, "100")
    pairing.add_image(200, "200")
    pairing.add_image(5100, "5100 again")
    assert out[2:4] == [("100", {"depth": "depth of the new 100"}), ("200", {"depth": None})]
    assert lost == []


def test_images_waiting_for_depth_survive_a_clock_set_back() -> None:
    pairing, out, lost = collect_all(DEPTH)
    pairing.add_image(5000, "before")
    pairing.add_image(0, "after")
    assert (out, lost) == ([("before", {"depth": None})], [])


def test_outdated_partners_are_dropped() -> None:
    pairing, out, _ = collect_all(DEPTH)
    for index in range(40):
        pairing.add_image(100 * index, str(index))
        pairing.add_partner("depth", 100 * index, f"depth of {index}")
    assert len(out) == 40
    assert sum(map(len, pairing._waiting.values())) <= 2


def test_gap_between_timestamps() -> None:
    pairing, _, _ = collect_all(BOXES)
    pairing.add_image(100, "a")
    assert pairing.gap_ns("detections") is None
    pairing.add_partner("detections", 140, "boxes of another clock")
    assert pairing.gap_ns("detections") == 40
    pairing.add_partner("detections", 30, "boxes of an image that waits no longer")
    assert pairing.gap_ns("detections") == -70
    pairing.add_image(200, "b")
    assert pairing.gap_ns("detections") == -70


def test_the_nearest_partner_is_chosen() -> None:
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
def test_images_are_passed_on_once_in_order_and_in_time(events: list[tuple[bool, int]]) -> None:
    pairing, out = collect(DEPTH)
    count = 0
    for is_image, jitter in events:
        if is_image:
            pairing.add_image(100 * count, str(count))
            count += 1
        else:
            pairing.add_partner("depth", 100 * count + jitter - 15, "d")
    numbers = [int(image) for image, _ in out]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= count - 1 - DEPTH.wait_ns // 100
    depths = [found["depth"] for _, found in out]
    assert len([depth for depth in depths if depth]) <= len(events) - count


PERIOD, TOLERANCE = 33, 20


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    """Timestamps of images and of depth, each at a steady rate, and the delay of depth."""
    images = [1000 + index * PERIOD for index in range(20)]
    step = draw(st.sampled_from([11, 16, 33, 66, 99]))
    offset = draw(st.integers(-step, step))
    depths = [1000 + offset + index * step for index in range(20 * PERIOD // step)]
    lost = draw(st.sets(st.sampled_from(depths[2:]), max_size=3))
    return images, [stamp for stamp in depths if stamp not in lost], draw(st.integers(0, 200))


@given(streams())
def test_live_pairs_equal_those_of_a_bag(stream: tuple[list[int], list[int], int]) -> None:
    images, depths, late = stream
    arrivals = [(stamp, "image", stamp) for stamp in images]
    arrivals += [(stamp + late, "depth", stamp) for stamp in depths]
    arrivals.sort()

    live: dict[int, int | None] = {}
    pairing = Pairing[int](
        (Partner("depth", required=False, wait_ns=600),),
        TOLERANCE,
        lambda image, found: live.update({image: found["depth"]}),
        lambda *_: None,
    )
    for _, topic, stamp in arrivals:
        if topic == "image":
            pairing.add_image(stamp, stamp)
        else:
            pairing.add_partner(topic, stamp, stamp)

    order = StampOrder(2, last=["image"])
    companions = Companions("depth", "image", TOLERANCE, order)
    bag: dict[int, int | None] = {}
    for each in order.sort(StampedMessage(topic, s, s) for _, topic, s in arrivals):
        companions.add(each)
        if each.topic == "image":
            bag[each.stamp_ns] = companions.nearest(each.stamp_ns)

    # Several must have arrived before the next ones can be predicted.
    known_ns = images[6]
    assert {i: mine for i, mine in live.items() if i > known_ns} == {
        i: mine for i, mine in bag.items() if i > known_ns and i in live
    }
    assert {image for image in images if image < depths[-1] - TOLERANCE} <= live.keys()


def test_a_repeated_timestamp_gets_the_same_boxes() -> None:
    """The worker then refuses the image with a warning; it does not wait for other boxes."""
    pairing, out, lost = collect_all(BOXES)
    pairing.add_image(100, "a")
    pairing.add_partner("detections", 100, "boxes")
    pairing.add_image(100, "a again")
    assert out == [("a", {"detections": "boxes"}), ("a again", {"detections": "boxes"})]
    assert lost == []
