"""Gives who left and returns the id back, by looks, where nobody else looks alike.

A wrong join is worse than a missed one: a person who returns under a new id is a stranger to the
robot, but two people under one id are a person who does not exist. So a track joins one of the
past only if it looks like that, and unlike everybody else who is or was there lately.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.people.looks import SPREADS, unlikeness

ALIKE = 0.8
"""Unlikeness up to which two tracks may be one person."""

APART = 4.0
"""How many times as unlike everybody else must be."""

FIRST_IMAGES, LAST_IMAGES = 5, 20
"""A new track is compared from its so-manyth good image on, and no longer after the last."""

_NS = 1e-9


@dataclass(frozen=True)
class _Person:
    """A track: when it was seen, its mean looks (15) over so many images, and whose it is."""

    first_ns: int
    last_ns: int
    looks: Floats
    images: int
    id_: int


class Identities:
    """The people in one camera, by track id. `reset` forgets them."""

    def __init__(self) -> None:
        self._known: dict[int, _Person] = {}

    def reset(self) -> None:
        """Forget everybody."""
        self._known.clear()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state of n tracks as arrays, for `restore`."""
        people = list(self._known.values())
        return {
            "tracks": np.array(list(self._known), np.int64),
            "looks": np.array([person.looks for person in people]).reshape(-1, len(SPREADS)),
        } | {
            name: np.array([getattr(person, name) for person in people], np.int64)
            for name in ("first_ns", "last_ns", "images", "id_")
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        names = ("first_ns", "last_ns", "images", "id_")
        numbers = zip(*(arrays[name].tolist() for name in names), strict=True)
        self._known = {
            track: _Person(first_ns, last_ns, looks, images, id_)
            for track, looks, (first_ns, last_ns, images, id_) in zip(
                arrays["tracks"].tolist(), arrays["looks"], numbers, strict=True
            )
        }

    def name(self, stamp_ns: int, tracks: Integers, looks: Floats, remember_s: float) -> Integers:
        """Return the ids (n) of the people in an image: those of their tracks, or earlier ones.

        Args:
            stamp_ns: timestamp of the image.
            tracks: (n) track ids.
            looks: (n, 15) as in `looks.find_looks`; NaN for who is not seen well.
            remember_s: how long people are remembered after they were last seen.
        """
        self._known = {
            track: person
            for track, person in self._known.items()
            if (stamp_ns - person.last_ns) * _NS <= remember_s
        }
        for track, look in zip(tracks.tolist(), looks, strict=True):
            self._see(stamp_ns, track, look)
        present = {self._known[track].id_ for track in tracks.tolist()}
        for track in tracks.tolist():
            person = self._known[track]
            if person.id_ != track or not FIRST_IMAGES <= person.images <= LAST_IMAGES:
                continue
            found = self._find(track, present)
            if found is not None:
                self._known[track] = replace(person, id_=found)
                present.add(found)
        return np.array([self._known[track].id_ for track in tracks.tolist()], np.int64)

    def _see(self, stamp_ns: int, track: int, look: Floats) -> None:
        person = self._known.get(track)
        if person is None:
            person = _Person(stamp_ns, stamp_ns, np.zeros(len(SPREADS)), 0, track)
        if np.isfinite(look).all():
            images = person.images + 1
            mean = person.looks + (look - person.looks) / images
            person = replace(person, looks=mean, images=images)
        self._known[track] = replace(person, last_ns=stamp_ns)

    def _find(self, track: int, present: set[int]) -> int | None:
        """Return the id of who left and looks like a track, if nobody else does."""
        person = self._known[track]
        others = [
            other
            for name, other in self._known.items()
            if name != track and other.id_ != person.id_ and other.images >= FIRST_IMAGES
        ]
        if not others:
            return None
        unlike = unlikeness(np.stack([other.looks for other in others]), person.looks)
        best = int(unlike.argmin())
        found = others[best]
        rivals = [u for u, other in zip(unlike, others, strict=True) if other.id_ != found.id_]
        left = found.id_ not in present and found.last_ns < person.first_ns
        if not left or unlike[best] > ALIKE or min(rivals, default=np.inf) < APART * unlike[best]:
            return None
        return found.id_
