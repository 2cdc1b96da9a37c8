from functools import partial

import numpy as np
import pytest

from smpler_model.cameras.encodings import (
    ImageError,
    decode_compressed,
    decode_raw,
    encode_jpeg,
)
from smpler_ros.node.statistics import Repetitions, Statistics


class Clock:
    """A clock set by tests."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_reports_cover_the_time_since_the_last_one() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    statistics.add_camera("left")
    first = statistics.report({})["left"]
    assert (first.received, first.processed, first.rate_hz, first.last_error) == (0, 0, 0, "")
    for index in range(6):
        statistics.receive("left")
        statistics.process("left", index, age_ms=10.0 * index, steps_ms={"estimate": 2.0 * index})
    statistics.receive("left")
    statistics.fail("left", "broken")
    clock.now += 2
    second = statistics.report({"left": 3})["left"]
    assert (second.received, second.processed, second.failed, second.dropped) == (7, 6, 1, 3)
    assert second.rate_hz == 3.0
    assert second.people == 5
    assert second.age_ms == 25.0
    assert second.steps_ms == {"estimate": 5.0}
    assert (second.last_error, second.is_new_error) == ("broken", True)
    clock.now += 1
    third = statistics.report({"left": 1})["left"]
    assert (third.received, third.processed, third.failed, third.dropped) == (0, 0, 0, 1)
    assert (third.last_error, third.is_new_error) == ("broken", False)


def test_images_that_lack_something_are_counted() -> None:
    statistics = Statistics(Clock())
    statistics.add_camera("")
    statistics.receive("")
    statistics.read_depth("", is_usable=False)
    statistics.lose("")
    report = statistics.report({})[""]
    assert (report.received, report.without_depth, report.without_detections) == (2, 1, 1)
    again = statistics.report({})[""]
    assert (again.received, again.without_depth, again.without_detections) == (0, 0, 0)


def test_cameras_are_counted_separately() -> None:
    statistics = Statistics(Clock())
    statistics.add_camera("left")
    statistics.add_camera("right")
    statistics.fail("left", "broken")
    reports = statistics.report({})
    assert reports["right"].last_error == ""
    assert reports["left"].failed == 1


def test_a_missing_step_counts_as_zero() -> None:
    statistics = Statistics(Clock())
    statistics.add_camera("")
    statistics.process("", 1, 1.0, {"mesh": 4.0})
    statistics.process("", 1, 1.0, {})
    assert statistics.report({})[""].steps_ms == {"mesh": 2.0}


def test_a_fault_is_logged_at_once_and_then_rarely() -> None:
    clock = Clock()
    repetitions = Repetitions(10.0, clock)
    assert repetitions.word("no lens") == "no lens"
    assert repetitions.word("no lens") == ""
    assert repetitions.word("another") == "another"
    clock.now += 5
    assert repetitions.word("no lens") == ""
    clock.now += 6
    assert repetitions.word("no lens") == "no lens (2 more times in the last seconds)"
    clock.now += 11
    assert repetitions.word("no lens") == "no lens"


def test_images_cut_at_any_place_are_one_fault() -> None:
    repetitions, jpeg = Repetitions(10.0, Clock()), encode_jpeg(np.full((48, 64, 3), 90, np.uint8))
    decode = partial(decode_raw, encoding="rgb8", height=4, width=8, step=24, is_bigendian=False)
    said: list[str] = []
    for length in range(1, 90, 7):
        with pytest.raises(ImageError) as cut_jpeg:
            decode_compressed("jpeg", jpeg[:length])
        with pytest.raises(ImageError) as cut_raw:
            decode(data=bytes(length))
        said += [repetitions.word(str(each.value)) for each in (cut_jpeg, cut_raw)]
    assert len([text for text in said if text]) == 2


def test_the_share_of_images_with_depth_is_reported_if_requested() -> None:
    statistics = Statistics(Clock())
    for name in ("with", "without"):
        statistics.add_camera(name)
        assert statistics.report({})[name].depth_share is None
    for index in range(35):
        statistics.receive("with")
        statistics.read_depth("with", is_usable=index in (3, 20))
        statistics.receive("without")
    reports = statistics.report({})
    assert reports["with"].depth_share == 2 / 35
    assert reports["without"].depth_share is None


def test_no_people_are_reported_once_images_stay_away() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    statistics.add_camera("")
    assert statistics.report({})[""].is_silent
    statistics.receive("")
    statistics.process("", 1, 1.0, {})
    for later_s, people in ((0.0, 1), (1.0, 1), (6.0, 0)):
        clock.now = 100.0 + later_s
        report = statistics.report({})[""]
        assert (report.people, report.is_silent) == (people, not people)
    statistics.lose("")
    assert not statistics.report({})[""].is_silent
