"""The hand-over between callbacks and worker."""

import threading

from smpler_ros.node.latest_frames import Inbox, Worker


def test_keeps_only_the_newest_of_each_camera_and_counts_the_rest() -> None:
    inbox: Inbox[int] = Inbox()
    for item in range(4):
        inbox.put("left", item)
    inbox.put("right", 9)
    assert inbox.take() == {"left": 3, "right": 9}
    assert inbox.take_dropped() == {"left": 3}
    assert inbox.take_dropped() == {}


def test_a_taken_item_is_not_counted_as_dropped() -> None:
    inbox: Inbox[int] = Inbox()
    for item in range(3):
        inbox.put("", item)
        assert inbox.take() == {"": item}
    assert inbox.take_dropped() == {}


def test_worker_survives_an_exception_and_reports_it() -> None:
    inbox: Inbox[int] = Inbox()
    done: list[int] = []
    errors: list[Exception] = []
    step = threading.Semaphore(0)

    def process(items: dict[str, int]) -> None:
        try:
            done.append(10 // items[""])
        finally:
            step.release()

    worker = Worker(inbox, process, errors.append)
    worker.start()
    for item in (5, 0, 2):
        inbox.put("", item)
        assert step.acquire(timeout=5)
    worker.close()
    assert done == [2, 5]
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_close_ends_a_waiting_worker_and_works_before_start() -> None:
    waiting: Worker[int] = Worker(Inbox(), lambda items: None, lambda error: None)
    waiting.start()
    waiting.close()
    Worker(Inbox[int](), lambda items: None, lambda error: None).close()
