"""The level of a camera's status."""

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus

from smpler_ros.node.diagnostics import judge
from smpler_ros.node.statistics import Statistics
from tests.smpler_ros.node.test_statistics import Clock

Levels = list[tuple[bytes, str]]


def watch(statistics: Statistics, clock: Clock, seconds: int, send: Callable[[], None]) -> Levels:
    """Return the status of each second's report on a camera that sends every two seconds."""
    statistics.add_camera("")
    statuses = []
    for second in range(seconds):
        clock.now += 1
        if second % 2 == 0:
            send()
        statuses.append(judge(statistics.report({})[""]))
    return statuses


def test_a_slow_camera_keeps_its_warning_between_images() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    statuses = watch(statistics, clock, 6, lambda: statistics.lose(""))
    assert [level for level, _ in statuses] == [DiagnosticStatus.WARN] * 6


def test_depth_that_cannot_be_used_is_a_warning() -> None:
    statistics = Statistics(Clock())
    statistics.add_camera("")
    statistics.receive("")
    statistics.read_depth("", is_usable=False)
    statistics.process("", 2, 1.0, {})
    level, message = judge(statistics.report({})[""])
    assert level == DiagnosticStatus.WARN
    assert message == "usable depth is available for 0 % of images: distances jump"


def test_a_slow_camera_is_stale_only_once_its_images_stay_away() -> None:
    clock = Clock()
    statistics = Statistics(clock)

    def send() -> None:
        statistics.receive("")
        statistics.process("", 2, 1.0, {})

    statuses = watch(statistics, clock, 10, send)
    assert statuses[2:] == [(DiagnosticStatus.OK, "2 people at 0.5 Hz")] * 8
    clock.now += 5
    assert judge(statistics.report({})[""]) == (DiagnosticStatus.STALE, "no images")
