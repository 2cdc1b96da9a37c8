from smpler_ros.inputs.reception import Reception, Share


class Clock:
    """A clock set by tests."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_start_stop_and_return_of_images_are_logged_once_each() -> None:
    clock = Clock()
    reception = Reception("/image", clock)
    said: list[str] = []

    def watch(seconds: float, rate_hz: float) -> None:
        for tick in range(round(seconds * 30)):
            clock.now += 1 / 30
            if rate_hz and tick % round(30 / rate_hz) == 0:
                reception.take(640, 480)
            said.extend(filter(None, [reception.news()]))
            if reception.is_silent():
                said.append("silent")

    watch(6.0, 0.0)
    assert said == ["silent"]
    watch(10.0, 30.0)
    assert said[1:] == ["receiving images on /image at 30.0 Hz, 640x480"]
    watch(11.0, 0.0)
    assert said[2:] == ["silent", "silent"]
    watch(10.0, 15.0)
    assert said[4:] == ["images are back on /image"]


def test_the_size_of_compressed_images_is_not_logged() -> None:
    clock = Clock()
    reception = Reception("/image/compressed", clock)
    for _ in range(31):
        reception.take(0, 0)
        clock.now += 0.1
    assert reception.news() == "receiving images on /image/compressed at 10.0 Hz"


def test_a_low_and_a_recovered_share_are_logged_once_each() -> None:
    clock = Clock()
    share = Share(clock)
    changes: list[tuple[bool, int, int]] = []

    def watch(images: int, every: int) -> None:
        for index in range(images):
            clock.now += 0.1
            share.take(fits=index % every == 0)
            if share.changed():
                changes.append((share.is_low, *share.counts()))

    watch(100, 1)
    assert changes == []
    watch(100, 10)
    ((is_low, having, images),) = changes
    assert is_low
    assert having < images / 2
    watch(100, 1)
    assert [is_low for is_low, _, _ in changes] == [True, False]


def test_recovery_from_a_complete_absence_is_logged() -> None:
    clock = Clock()
    share = Share(clock)
    for _ in range(100):
        clock.now += 0.1
        share.take(fits=False)
        assert not share.changed()
    share.miss()
    for _ in range(100):
        clock.now += 0.1
        share.take(fits=True)
        if share.changed():
            assert not share.is_low
            return
    raise AssertionError("nothing was said")
