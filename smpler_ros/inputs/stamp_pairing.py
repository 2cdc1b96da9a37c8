"""Pairing of images with other messages by timestamp."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import median
from typing import Generic, TypeVar

from smpler_model.bags.stamp_order import REWIND_NS
from smpler_model.cameras.stamp_matching import partner_of

Item = TypeVar("Item")
Found = dict[str, Item | None]

ALONE_AFTER_S = 1.0  # an image without a successor is then passed on without optional partners
_TRUSTED = 10  # timely partners until images wait for the full time again
_USUAL_STEPS = 16  # timestamps whose intervals predict the next image


@dataclass(frozen=True)
class Partner:
    """A topic paired with the image.

    Attributes:
        name: name of the topic.
        required: whether an image without it is dropped; otherwise it is passed on alone.
        wait_ns: how long an image waits for it, measured by the newest image's timestamp.
    """

    name: str
    required: bool
    wait_ns: int


@dataclass(frozen=True)
class _Image(Generic[Item]):
    stamp_ns: int
    item: Item
    arrival_s: float


@dataclass
class _Waiting(Generic[Item]):
    """A received partner, and the timestamp of the image it was paired with, if any."""

    stamp_ns: int
    item: Item
    image_ns: int | None = None


class Pairing(Generic[Item]):
    """Passes on each image with its partners, in the order of the images.

    A partner belongs to the image with the nearest timestamp, and only to that one (see
    `partner_of`, which also reads bags): even images closer together than the tolerance each get
    their own. If the next image or the next partner is expected to match better, the pairing waits
    for it. A complete image releases those before it, as partners arrive in the order of their
    timestamps.

    Images wait for an optional partner for at most its `wait_ns`, until one has waited in vain:
    from then on images are passed on at once until a partner arrives again, and as soon as the
    next image arrives until several partners have arrived. Otherwise images would be late and come
    in bursts when depth is lost in transport.

    State: the waiting images, the partners that may still match one, the number of partners since
    an image waited in vain, and the last timestamps. Timestamps that go back by more than
    `rewind_ns` mean that the clock was set back: everything waiting is released or dropped.
    """

    def __init__(
        self,
        partners: tuple[Partner, ...],
        tolerance_ns: int,
        emit: Callable[[Item, Found[Item]], None],
        lose: Callable[[Item, Found[Item]], None],
        *,
        depth: int = 64,
        rewind_ns: int = REWIND_NS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create an empty pairing.

        Args:
            partners: partners of the image; without any, images are passed on at once.
            tolerance_ns: largest difference between paired timestamps.
            emit: called with an image, and every partner by name, None for a missing one.
            lose: called with an image that lacks a required partner, and its other partners.
            depth: maximum number of waiting images and partners.
            rewind_ns: a larger step back in time means that the clock was set back.
            clock: clock for `release`, seconds.
        """
        self._partners = partners
        self._tolerance_ns, self._rewind_ns = tolerance_ns, rewind_ns
        self._emit, self._lose = emit, lose
        self._depth = depth
        self._clock = clock
        self._newest_ns: int | None = None
        self._came_ns: dict[str, deque[int]] = {
            partner.name: deque(maxlen=_USUAL_STEPS) for partner in partners
        }
        self._in_time = {partner.name: _TRUSTED for partner in partners}
        self._images: deque[_Image[Item]] = deque()
        self._past_ns: deque[int] = deque(maxlen=depth)  # of images passed on
        self._waiting: dict[str, deque[_Waiting[Item]]] = {
            partner.name: deque(maxlen=depth) for partner in partners
        }

    def add_image(self, stamp_ns: int, image: Item) -> None:
        """Add an image."""
        if self._newest_ns is not None and stamp_ns < self._newest_ns - self._rewind_ns:
            self._forget(later_than_ns=stamp_ns + self._rewind_ns)
        self._newest_ns = max(stamp_ns, self._newest_ns or stamp_ns)
        self._images.append(_Image(stamp_ns, image, self._clock()))
        self._advance()
        self._let_go(max(self._count_late(), len(self._images) - self._depth))
        oldest_ns = self._images[0].stamp_ns if self._images else stamp_ns
        for waiting in self._waiting.values():
            while waiting and waiting[0].stamp_ns < oldest_ns - self._tolerance_ns:
                waiting.popleft()

    def add_partner(self, name: str, stamp_ns: int, item: Item) -> None:
        """Add a partner of an image with about the same timestamp, earlier or later."""
        self._came_ns[name].append(stamp_ns)
        self._waiting[name].append(_Waiting(stamp_ns, item))
        wait_ns = next(partner.wait_ns for partner in self._partners if partner.name == name)
        if self._newest_ns is None or self._newest_ns - stamp_ns <= wait_ns:
            self._in_time[name] = min(self._in_time[name] + 1, _TRUSTED)
        self._advance()

    def release(self) -> None:
        """Pass on images without a successor that still wait for optional partners."""
        due_s = self._clock() - ALONE_AFTER_S
        while self._images and self._images[0].arrival_s <= due_s:
            if not self._is_whole(self._find(self._images[0])):
                return
            self._let_go(1)

    def gap_ns(self, name: str) -> int | None:
        """Return the difference between the timestamps of the last partner and the nearest image.

        Returns:
            Negative if its image was passed on already, or is older than all remembered images:
            how much older it is than the oldest waiting image, or than the newest image if none
            waits. None if no partner or no image has arrived.
        """
        if not self._came_ns[name] or self._newest_ns is None:
            return None
        stamp_ns = self._came_ns[name][-1]
        known_ns = self._images_ns()
        nearest_ns = min(known_ns, key=lambda ns: abs(ns - stamp_ns))
        oldest_ns = self._images[0].stamp_ns if self._images else self._newest_ns
        has_gone = nearest_ns in self._past_ns and abs(nearest_ns - stamp_ns) <= self._tolerance_ns
        if stamp_ns < oldest_ns and (has_gone or stamp_ns < min(known_ns)):
            return stamp_ns - oldest_ns
        return abs(nearest_ns - stamp_ns)

    def _forget(self, later_than_ns: int) -> None:
        """Release or drop waiting images, and drop partners from before the clock was set back."""
        self._let_go(len(self._images))
        for name, waiting in self._waiting.items():
            kept = [each for each in waiting if each.stamp_ns <= later_than_ns]
            self._waiting[name] = deque(kept, maxlen=self._depth)
            came_ns = [ns for ns in self._came_ns[name] if ns <= later_than_ns]
            self._came_ns[name] = deque(came_ns, maxlen=_USUAL_STEPS)
        self._past_ns.clear()
        self._newest_ns = None

    def _advance(self) -> None:
        """Pass on images, the oldest first, as far as their partners are decided."""
        index = 0
        while index < len(self._images):
            if self._is_decided(index):
                self._let_go(index + 1)
                index = 0
            else:
                index += 1

    def _is_decided(self, index: int) -> bool:
        """Return whether later messages can no longer change an image's partners."""
        found = self._find(self._images[index])
        for partner in self._partners:
            mine = found[partner.name]
            if mine is None and (partner.required or self._is_awaited(partner, index)):
                return False
            if mine is not None and (
                self._may_fit_the_next_image(mine.stamp_ns, index)
                or (
                    self._is_awaited(partner, index) and self._may_be_farther(mine, partner, index)
                )
            ):
                return False
        return True

    def _is_awaited(self, partner: Partner, index: int) -> bool:
        """Return whether an optional partner may still arrive for an image."""
        stamp_ns, newest_ns = self._images[index].stamp_ns, self._newest_ns
        came_ns = self._came_ns[partner.name]
        if came_ns and came_ns[-1] > stamp_ns + self._tolerance_ns:
            return False
        in_time = self._in_time[partner.name]
        if in_time < _TRUSTED:
            return in_time > 0 and index == len(self._images) - 1
        return newest_ns is None or newest_ns - stamp_ns <= partner.wait_ns

    def _may_fit_the_next_image(self, partner_ns: int, index: int) -> bool:
        """Return whether the next image is expected to be nearer to a partner."""
        after_ns = partner_ns - self._images[index].stamp_ns
        is_last = index == len(self._images) - 1
        return is_last and 2 * after_ns > _usual_step_ns(self._images_ns())

    def _may_be_farther(self, mine: _Waiting[Item], partner: Partner, index: int) -> bool:
        """Return whether the next partner is expected to be nearer to an image."""
        before_ns = self._images[index].stamp_ns - mine.stamp_ns
        is_last = mine is self._waiting[partner.name][-1]
        return is_last and 2 * before_ns > _usual_step_ns(self._came_ns[partner.name])

    def _images_ns(self) -> list[int]:
        """Return the timestamps of all remembered images."""
        return [*self._past_ns, *(image.stamp_ns for image in self._images)]

    def _count_late(self) -> int:
        """Return the number of oldest images that have waited too long for required partners."""
        waits_ns = [partner.wait_ns for partner in self._partners if partner.required]
        if not waits_ns or self._newest_ns is None:
            return 0
        oldest_ns = self._newest_ns - max(waits_ns)
        return sum(image.stamp_ns < oldest_ns for image in self._images)

    def _let_go(self, count: int) -> None:
        """Pass on the first images with their partners, or drop those that lack required ones."""
        for _ in range(count):
            image = self._images[0]
            found = self._find(image)
            self._note_waits(image, found)
            self._images.popleft()
            self._past_ns.append(image.stamp_ns)
            for mine in found.values():
                if mine is not None:
                    mine.image_ns = image.stamp_ns
            items = {name: mine.item if mine else None for name, mine in found.items()}
            (self._emit if self._is_whole(found) else self._lose)(image.item, items)

    def _note_waits(self, image: _Image[Item], found: dict[str, _Waiting[Item] | None]) -> None:
        """Stop waiting for a partner for which an image has waited in vain."""
        for partner in self._partners:
            waited_ns = (self._newest_ns or 0) - image.stamp_ns
            was_alone = self._clock() - image.arrival_s >= ALONE_AFTER_S
            is_late = waited_ns > partner.wait_ns or was_alone
            is_trusted = self._in_time[partner.name] == _TRUSTED
            if found[partner.name] is None and is_late and is_trusted:
                self._in_time[partner.name] = 0

    def _is_whole(self, found: dict[str, _Waiting[Item] | None]) -> bool:
        return all(found[each.name] is not None for each in self._partners if each.required)

    def _find(self, image: _Image[Item]) -> dict[str, _Waiting[Item] | None]:
        images_ns = self._images_ns()
        found: dict[str, _Waiting[Item] | None] = {}
        for name, all_waiting in self._waiting.items():
            free = [each for each in all_waiting if each.image_ns in (None, image.stamp_ns)]
            place = partner_of(
                image.stamp_ns, [each.stamp_ns for each in free], images_ns, self._tolerance_ns
            )
            found[name] = None if place is None else free[place]
        return found


def _usual_step_ns(stamps_ns: Iterable[int]) -> float:
    """Return the typical interval between timestamps; infinity for fewer than two."""
    last_ns = list(stamps_ns)[-_USUAL_STEPS:]
    steps_ns = [b - a for a, b in pairwise(last_ns) if b > a]
    return median(steps_ns) if steps_ns else inf
