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

    State are the images that wait and the newest of every partner.
    """

    def __init__(
        self,
        partners: tuple[Partner, ...],
        tolerance_ns: int,
        emit: Callable[[Item, Found[Item]], None],
        *,
        depth: int = 8,
    ) -> None:
        """Prepare.

        Args:
            partners: of the image; without any, images go on at once.
            tolerance_ns: how far stamps may be apart.
            emit: gets an image, and every partner by name, None for one that did not come.
            depth: how many images and partners wait at most.
        """
        self._partners = partners
        self._tolerance_ns = tolerance_ns
        self._emit = emit
        self._images: deque[tuple[int, Item]] = deque(maxlen=depth)
        self._waiting: dict[str, deque[tuple[int, Item]]] = {
            partner.name: deque(maxlen=depth) for partner in partners
        }

    def add_image(self, stamp_ns: int, image: Item) -> None:
        """Take an image."""
        self._images.append((stamp_ns, image))
        self._advance()

    def add_partner(self, name: str, stamp_ns: int, item: Item) -> None:
        """Take what belongs to an image of about the same stamp, earlier or later."""
        self._waiting[name].append((stamp_ns, item))
        self._advance()

    def _advance(self) -> None:
        """Hand on images from the oldest, as far as they are complete."""
        ready = 0
        for index, (stamp_ns, image) in enumerate(self._images):
            found = {p.name: self._nearest(p.name, stamp_ns) for p in self._partners}
            missing = [p for p in self._partners if found[p.name] is None]
            is_newest = index == len(self._images) - 1
            if not missing or (not is_newest and not any(p.required for p in missing)):
                self._emit(image, found)
                ready = index + 1
        for _ in range(ready):
            self._images.popleft()

    def _nearest(self, name: str, stamp_ns: int) -> Item | None:
        apart = [(abs(stamp - stamp_ns), item) for stamp, item in self._waiting[name]]
        near = [pair for pair in apart if pair[0] <= self._tolerance_ns]
        return min(near, key=lambda pair: pair[0])[1] if near else None
