"""Passes the newest frame of every camera from the callbacks to one worker thread."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """One slot per camera: a new item replaces one not yet taken, which is counted as dropped.

    State lasts until `close`; a closed inbox returns no more items.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._newest: dict[str, Item] = {}
        self._dropped: Counter[str] = Counter()
        self._closed = False

    def put(self, camera: str, item: Item) -> None:
        """Store the newest item of a camera. Never blocks on the worker."""
        with self._condition:
            if camera in self._newest:
                self._dropped[camera] += 1
            self._newest[camera] = item
            self._condition.notify()

    def take(self) -> dict[str, Item]:
        """Wait for items and return the newest of every camera; empty once closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._newest or self._closed)
            taken, self._newest = self._newest, {}
            return {} if self._closed else taken

    def take_dropped(self) -> dict[str, int]:
        """Return how many items of each camera were dropped since the last call."""
        with self._condition:
            dropped, self._dropped = self._dropped, Counter()
            return dict(dropped)

    def close(self) -> None:
        """Wake the worker and return no more items."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


class Worker(Generic[Item]):
    """A thread that processes an inbox's items until it is closed.

    An exception in `process` is passed to `report` and drops only the items being processed.
    """

    def __init__(
        self,
        inbox: Inbox[Item],
        process: Callable[[dict[str, Item]], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._inbox = inbox
        self._process = process
        self._report = report
        self._thread = threading.Thread(target=self._run, name="smpler_worker", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Close the inbox and wait until the current frame is done."""
        self._inbox.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while items := self._inbox.take():
            try:
                self._process(items)
            except Exception as error:
                self._report(error)
