"""The level of a camera's status."""

from diagnostic_msgs.msg import DiagnosticStatus

from smpler_ros.node.diagnostics import judge
from smpler_ros.node.statistics import Statistics
from tests.smpler_ros.node.test_statistics import Clock


def test_a_slow_camera_keeps_its_warning_between_images() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    statistics.add_camera("")
    levels = []
    for second in range(6):
        clock.now += 1
        if second % 2 == 0:
            statistics.lose("")
        levels.append(judge(statistics.report({})[""])[0])
    assert levels == [DiagnosticStatus.WARN] * 6


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
    """An image every two seconds, a report every second."""
    clock = Clock()
    statistics = Statistics(clock)
    statistics.add_camera("")
    statuses = []
    for second in range(10):
        clock.now += 1
        if second % 2 == 0:
            statistics.receive("")
            statistics.process("", 2, 1.0, {})
        statuses.append(judge(statistics.report({})[""]))
    assert statuses[2:] == [(DiagnosticStatus.OK, "2 people at 0.5 Hz")] * 8
    clock.now += 5
    assert judge(statistics.report({})[""]) == (DiagnosticStatus.STALE, "no images")
