"""Images and what belongs to them, put together by their stamps."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Found = dict[str, Item | None]


@dataclass(frozen=True)
class Partner:
    """A topic that goes with the image.

    Attributes:
        name: of the topic.
        required: an image without it is dropped; otherwise the image goes on alone as soon as the
            next one is there.
    """

    name: str
    required: bool


class Pairing(Generic[Item]):
    """Hands on each image with its partners, in the order of the images.

    A partner belongs to the image whose stamp is the nearest to its own, and only to that: of
    images closer together than the tolerance each gets its own. State are the images that wait,
    the partners that may still fit one, and the last stamps. Stamps that go back by more than
    images wait are those of a clock that was set back: what waits is of the time before.
    """

    def __init__(
        self,
        partners: tuple[Partner, ...],
        tolerance_ns: int,
        emit: Callable[[Item, Found[Item]], None],
        lose: Callable[[Item, Found[Item]], None],
        *,
        wait_ns: int = 1_000_000_000,
        depth: int = 64,
    ) -> None:
        """Prepare.

        Args:
            partners: of the image; without any, images go on at once.
            tolerance_ns: how far stamps may be apart.
            emit: gets an image, and every partner by name, None for one that did not come.
            lose: gets an image whose required partners did not all come, and those that did.
            wait_ns: how much older than the newest image one that waits may be.
            depth: how many images and partners wait at most.
        """
        self._partners = partners
        self._tolerance_ns = tolerance_ns
        self._wait_ns = wait_ns
        self._emit = emit
        self._lose = lose
        self._depth = depth
        self._newest_ns: int | None = None
        self._last_ns: dict[str, int] = {}
        self._images: deque[tuple[int, Item]] = deque()
        self._past_ns: deque[int] = deque(maxlen=depth)  # of images that have gone
        self._waiting: dict[str, deque[tuple[int, Item]]] = {
            partner.name: deque(maxlen=depth) for partner in partners
        }

    def add_image(self, stamp_ns: int, image: Item) -> None:
        """Take an image."""
        if self._newest_ns is not None and stamp_ns < self._newest_ns - self._wait_ns:
            self._forget(later_than_ns=stamp_ns + self._wait_ns)
        self._newest_ns = stamp_ns
        self._images.append((stamp_ns, image))
        self._advance()
        late = sum(stamp < stamp_ns - self._wait_ns for stamp, _ in self._images)
        self._lose_first(max(late, len(self._images) - self._depth))
        oldest_ns = self._images[0][0] if self._images else stamp_ns
        for partners in self._waiting.values():
            while partners and partners[0][0] < oldest_ns - self._tolerance_ns:
                partners.popleft()

    def add_partner(self, name: str, stamp_ns: int, item: Item) -> None:
        """Take what belongs to an image of about the same stamp, earlier or later."""
        self._last_ns[name] = stamp_ns
        self._waiting[name].append((stamp_ns, item))
        self._advance()

    def gap_ns(self, name: str) -> int | None:
        """Return how far the last partner's stamp is from that of the nearest image that waits.

        Returns:
            Negative if it is older than all of them; None if no partner or no image is there.
        """
        stamp_ns = self._last_ns.get(name)
        if stamp_ns is None or not self._images:
            return None
        oldest_ns = self._images[0][0]
        if stamp_ns < oldest_ns:
            return stamp_ns - oldest_ns
        return min(abs(stamp_ns - stamp) for stamp, _ in self._images)

    def _forget(self, later_than_ns: int) -> None:
        """Hand on or lose what waits, and drop the partners of the time before a clock's jump."""
        for _ in range(len(self._images)):
            stamp_ns, image = self._pop_first()
            found = self._find(stamp_ns)
            is_whole = all(found[p.name] is not None for p in self._partners if p.required)
            (self._emit if is_whole else self._lose)(image, found)
        for name, partners in self._waiting.items():
            kept = [pair for pair in partners if pair[0] <= later_than_ns]
            self._waiting[name] = deque(kept, maxlen=self._depth)
        self._past_ns.clear()

    def _advance(self) -> None:
        """Hand on images from the oldest, as far as they are complete."""
        ready: list[tuple[int, Found[Item]]] = []
        for index, (stamp_ns, _) in enumerate(self._images):
            found = self._find(stamp_ns)
            missing = [p for p in self._partners if found[p.name] is None]
            is_newest = index == len(self._images) - 1
            if not missing or (not is_newest and not any(p.required for p in missing)):
                ready.append((index, found))
        taken = 0
        for index, found in ready:
            self._lose_first(index - taken)
            self._emit(self._pop_first()[1], found)
            taken = index + 1

    def _lose_first(self, count: int) -> None:
        for _ in range(count):
            stamp_ns, image = self._pop_first()
            self._lose(image, self._find(stamp_ns))

    def _pop_first(self) -> tuple[int, Item]:
        first = self._images.popleft()
        self._past_ns.append(first[0])
        return first

    def _find(self, stamp_ns: int) -> Found[Item]:
        return {partner.name: self._nearest(partner.name, stamp_ns) for partner in self._partners}

    def _nearest(self, name: str, stamp_ns: int) -> Item | None:
        apart = [(abs(stamp - stamp_ns), stamp, item) for stamp, item in self._waiting[name]]
        near = [each for each in apart if each[0] <= self._tolerance_ns]
        mine = [each for each in near if each[0] <= self._least_gap_ns(each[1])]
        return min(mine, key=lambda each: each[0])[2] if mine else None

    def _least_gap_ns(self, partner_ns: int) -> int:
        """Return how far a partner's stamp is from that of the nearest image that has come."""
        images = (*self._past_ns, *(stamp for stamp, _ in self._images))
        return min(abs(partner_ns - stamp) for stamp in images)
