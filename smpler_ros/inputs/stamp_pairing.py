"""Images and what belongs to them, put together by their stamps."""

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

ALONE_AFTER_S = 1.0  # an image that no other follows goes on without what is not required
_TRUSTED = 10  # partners that come in time until they are waited for as long as they may take
_USUAL_STEPS = 16  # stamps whose steps tell when the next image is expected


@dataclass(frozen=True)
class Partner:
    """A topic that goes with the image.

    Attributes:
        name: name of the topic.
        required: an image without it is dropped; otherwise the image goes on alone.
        wait_ns: how much older than the newest image one that waits for it may be.
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
    """A partner that has come, and the stamp of the image that it went with, if one came."""

    stamp_ns: int
    item: Item
    image_ns: int | None = None


class Pairing(Generic[Item]):
    """Hands on each image with its partners, in the order of the images.

    A partner belongs to the image whose stamp is the nearest to its own, and only to that (see
    `partner_of`, which reading a bag calls, too): of images closer together than the tolerance
    each gets its own. Where the next image or the next partner is expected to fit better, that is
    waited for. An image whose partners are all there takes those before it along, as partners
    come in the order of their stamps.

    What is not required is waited for as long as its wait allows, until one image has waited for
    it in vain: then images go on at once until one comes again, and as soon as the next image is
    there until several have come. Images would otherwise be late, and come in bursts, for depth
    that is lost on its way.

    State are the images that wait, the partners that may still fit one, how many of these came
    since an image waited in vain, and the last stamps. Stamps that go back by more than
    `rewind_ns` are those of a clock that was set back: what waits is of the time before.
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
        """Prepare.

        Args:
            partners: partners of the image; without any, images go on at once.
            tolerance_ns: how far stamps may be apart.
            emit: gets an image, and every partner by name, None for one that did not come.
            lose: gets an image whose required partners did not all come, and those that did.
            depth: how many images and partners wait at most.
            rewind_ns: how far stamps go back when the clock was set back.
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
        self._past_ns: deque[int] = deque(maxlen=depth)  # of images that have gone
        self._waiting: dict[str, deque[_Waiting[Item]]] = {
            partner.name: deque(maxlen=depth) for partner in partners
        }

    def add_image(self, stamp_ns: int, image: Item) -> None:
        """Take an image."""
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
        """Take what belongs to an image of about the same stamp, earlier or later."""
        self._came_ns[name].append(stamp_ns)
        self._waiting[name].append(_Waiting(stamp_ns, item))
        wait_ns = next(partner.wait_ns for partner in self._partners if partner.name == name)
        if self._newest_ns is None or self._newest_ns - stamp_ns <= wait_ns:
            self._in_time[name] = min(self._in_time[name] + 1, _TRUSTED)
        self._advance()

    def release(self) -> None:
        """Hand on images that wait for what is not required and that no other image follows."""
        due_s = self._clock() - ALONE_AFTER_S
        while self._images and self._images[0].arrival_s <= due_s:
            if not self._is_whole(self._find(self._images[0])):
                return
            self._let_go(1)

    def gap_ns(self, name: str) -> int | None:
        """Return how far the last partner's stamp is from that of the nearest image.

        Returns:
            Negative if its image has gone, or was before all that are remembered: how much older
            it is than the oldest image that waits, or than the newest where none does. None if no
            partner or no image came yet.
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
        """Hand on or lose what waits, and drop the partners of the time before a clock's jump."""
        self._let_go(len(self._images))
        for name, waiting in self._waiting.items():
            kept = [each for each in waiting if each.stamp_ns <= later_than_ns]
            self._waiting[name] = deque(kept, maxlen=self._depth)
            came_ns = [ns for ns in self._came_ns[name] if ns <= later_than_ns]
            self._came_ns[name] = deque(came_ns, maxlen=_USUAL_STEPS)
        self._past_ns.clear()
        self._newest_ns = None

    def _advance(self) -> None:
        """Hand on images from the oldest, as far as it is decided what belongs to them."""
        index = 0
        while index < len(self._images):
            if self._is_decided(index):
                self._let_go(index + 1)
                index = 0
            else:
                index += 1

    def _is_decided(self, index: int) -> bool:
        """Tell whether nothing that may still come would change what belongs to an image."""
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
        """Tell whether a partner that is not required may still come for an image."""
        stamp_ns, newest_ns = self._images[index].stamp_ns, self._newest_ns
        came_ns = self._came_ns[partner.name]
        if came_ns and came_ns[-1] > stamp_ns + self._tolerance_ns:
            return False
        in_time = self._in_time[partner.name]
        if in_time < _TRUSTED:
            return in_time > 0 and index == len(self._images) - 1
        return newest_ns is None or newest_ns - stamp_ns <= partner.wait_ns

    def _may_fit_the_next_image(self, partner_ns: int, index: int) -> bool:
        """Tell whether the next image, which has not come, is expected nearer to a partner."""
        after_ns = partner_ns - self._images[index].stamp_ns
        is_last = index == len(self._images) - 1
        return is_last and 2 * after_ns > _usual_step_ns(self._images_ns())

    def _may_be_farther(self, mine: _Waiting[Item], partner: Partner, index: int) -> bool:
        """Tell whether the next partner, which has not come, is expected nearer to an image."""
        before_ns = self._images[index].stamp_ns - mine.stamp_ns
        is_last = mine is self._waiting[partner.name][-1]
        return is_last and 2 * before_ns > _usual_step_ns(self._came_ns[partner.name])

    def _images_ns(self) -> list[int]:
        """Return the stamps of all images that are remembered."""
        return [*self._past_ns, *(image.stamp_ns for image in self._images)]

    def _count_late(self) -> int:
        """Return how many images from the oldest on have waited too long for what is required."""
        waits_ns = [partner.wait_ns for partner in self._partners if partner.required]
        if not waits_ns or self._newest_ns is None:
            return 0
        oldest_ns = self._newest_ns - max(waits_ns)
        return sum(image.stamp_ns < oldest_ns for image in self._images)

    def _let_go(self, count: int) -> None:
        """Hand on the first images with what has come, or lose those that lack what they need."""
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
        """Trust a partner no more for which an image has waited as long as it may."""
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
    """Return the usual time between stamps, infinite where there are not two yet."""
    last_ns = list(stamps_ns)[-_USUAL_STEPS:]
    steps_ns = [b - a for a, b in pairwise(last_ns) if b > a]
    return median(steps_ns) if steps_ns else inf
