"""Re-identification: people who return get their ids back, if nobody else looks similar.

A wrong join is worse than a missed one: a person who returns under a new id is a stranger to the
robot, but two people under one id are a person who does not exist. So a track is joined with an
earlier one only if the two look alike, and unlike everybody else who is or recently was there. A
person whose track the tracker still holds has not left: it may find them again at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.people.appearance import SPREADS, appearance_distance

ALIKE = 0.8
"""Appearance distance up to which two tracks may be one person."""

APART = 4.0
"""Factor by which the distance to everybody else must be larger."""

FIRST_IMAGES, LAST_IMAGES = 5, 20
"""A new track is compared while the number of images of its torso is within these bounds, and
again after the tracker drops a track that was lost before this one began."""

_NS = 1e-9
_NUMBERS = ("first_ns", "last_ns", "images", "id_", "last_image")


@dataclass(frozen=True)
class _Person:
    """A track: when it was seen, its mean appearance (15), of how many images, and the id.

    It is compared while it has at most `last_image` images.
    """

    first_ns: int
    last_ns: int
    appearance: Floats
    images: int
    id_: int
    last_image: int = LAST_IMAGES


class Identities:
    """The people in one camera, by track id. `reset` forgets them."""

    def __init__(self) -> None:
        self._known: dict[int, _Person] = {}
        self._lasting: set[int] = set()

    def reset(self) -> None:
        """Forget everybody."""
        self._known.clear()
        self._lasting.clear()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state of n tracks as arrays, for `restore`."""
        people = list(self._known.values())
        return {
            "tracks": np.array(list(self._known), np.int64),
            "lasting": np.array(sorted(self._lasting), np.int64),
            "appearances": np.array([person.appearance for person in people]).reshape(
                -1, len(SPREADS)
            ),
        } | {
            name: np.array([getattr(person, name) for person in people], np.int64)
            for name in _NUMBERS
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        numbers = zip(*(arrays[name].tolist() for name in _NUMBERS), strict=True)
        self._lasting = set(arrays["lasting"].tolist())
        self._known = {
            track: _Person(appearance=appearance, **dict(zip(_NUMBERS, row, strict=True)))
            for track, appearance, row in zip(
                arrays["tracks"].tolist(), arrays["appearances"], numbers, strict=True
            )
        }

    def name(
        self,
        stamp_ns: int,
        tracks: Integers,
        appearances: Floats,
        held: Integers,
        remember_s: float,
    ) -> Integers:
        """Return the ids (n) of the people in an image: those of their tracks, or earlier ones.

        Args:
            stamp_ns: timestamp of the image.
            tracks: (n) track ids.
            appearances: (n, 15) of `find_appearances`, NaN where the torso is not visible.
            held: (m) ids of all tracks that the tracker holds; their people have not left, whether
                the image shows them or not.
            remember_s: how long people are remembered after they were last seen; those who have
                not left are not forgotten.
        """
        lasting = {*tracks.tolist(), *held.tolist()}
        self._known = {
            track: person
            for track, person in self._known.items()
            if track in lasting or (stamp_ns - person.last_ns) * _NS <= remember_s
        }
        gone = self._lasting - lasting
        given_up = [person for track, person in self._known.items() if track in gone]
        self._lasting = lasting
        for track, appearance in zip(tracks.tolist(), appearances, strict=True):
            self._see(stamp_ns, track, appearance)
            self._compare_again(track, given_up)
        present = {person.id_ for track, person in self._known.items() if track in lasting}
        for track in tracks.tolist():
            person = self._known[track]
            if person.id_ != track or not FIRST_IMAGES <= person.images <= person.last_image:
                continue
            found = self._find(track, present)
            if found is not None:
                self._known[track] = replace(person, id_=found)
                present.add(found)
        return np.array([self._known[track].id_ for track in tracks.tolist()], np.int64)

    def _see(self, stamp_ns: int, track: int, appearance: Floats) -> None:
        person = self._known.get(track)
        if person is None:
            person = _Person(stamp_ns, stamp_ns, np.zeros(len(SPREADS)), 0, track)
        if np.isfinite(appearance).all():
            images = person.images + 1
            mean = person.appearance + (appearance - person.appearance) / images
            person = replace(person, appearance=mean, images=images)
        self._known[track] = replace(person, last_ns=stamp_ns)

    def _compare_again(self, track: int, given_up: Sequence[_Person]) -> None:
        """Compare a track in more images if it began after a dropped track was last seen."""
        person = self._known[track]
        if any(other.last_ns < person.first_ns for other in given_up):
            last_image = max(person.last_image, person.images + LAST_IMAGES - FIRST_IMAGES)
            self._known[track] = replace(person, last_image=last_image)

    def _find(self, track: int, present: set[int]) -> int | None:
        """Return the id of a person who left and looks like a track, if nobody else does."""
        person = self._known[track]
        others = [
            other
            for name, other in self._known.items()
            if name != track and other.id_ != person.id_ and other.images >= FIRST_IMAGES
        ]
        if not others:
            return None
        distances = appearance_distance(
            np.stack([other.appearance for other in others]), person.appearance
        )
        best = int(distances.argmin())
        found = others[best]
        rivals = distances[[other.id_ != found.id_ for other in others]]
        has_left = found.id_ not in present and found.last_ns < person.first_ns
        is_alike = distances[best] <= ALIKE
        is_only = rivals.min(initial=np.inf) >= APART * distances[best]
        return found.id_ if has_left and is_alike and is_only else None
