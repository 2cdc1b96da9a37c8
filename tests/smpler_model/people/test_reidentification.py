"""Ids of people who left and returned, with random appearances."""

import numpy as np
import pytest

from smpler_model.detectors.detector import detections_from
from smpler_model.frames import TrackState
from smpler_model.people.appearance import SPREADS
from smpler_model.people.reidentification import FIRST_IMAGES, LAST_IMAGES, Identities
from smpler_model.people.tracker import IdSource, Tracker, TrackerConfig

STEP_NS = 100_000_000
REMEMBER_S = 60.0


class Street:
    """Shows tracks to `Identities`, and returns the ids of the last image."""

    def __init__(self, seed: int = 0) -> None:
        self.identities, self.now_ns = Identities(), 0
        self.rng = np.random.default_rng(seed)

    def appearance(self, apart: float = 8.0) -> np.ndarray:
        """Draw a person; `apart` spreads from others."""
        return np.asarray(self.rng.normal(0, apart * SPREADS))

    def show(
        self,
        people: dict[int, np.ndarray],
        images: int = 10,
        noise: float = 0.5,
        hidden: tuple[int, ...] = (),
    ) -> list[int]:
        """Show people by track; the tracker holds their tracks, and hidden ones."""
        tracks, ids = np.array(list(people)), np.empty(0, np.int64)
        held = np.array([*people, *hidden])
        visit = {t: self.rng.normal(0, noise * SPREADS) for t in people}
        for _ in range(images):
            self.now_ns += STEP_NS
            seen = np.array([people[t] + visit[t] for t in people]).reshape(len(people), -1)
            ids = self.identities.name(self.now_ns, tracks, seen, held, REMEMBER_S)
        return [int(id_) for id_ in ids]

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def test_who_returns_gets_the_id_back_and_keeps_it() -> None:
    street = Street()
    one, two = street.appearance(), street.appearance()
    assert street.show({0: one, 1: two}) == [0, 1]
    street.wait(30)
    assert street.show({2: two}, images=FIRST_IMAGES - 1) == [2]
    assert street.show({2: two}) == [1]
    street.wait(30)
    assert street.show({3: one, 4: two}) == [3, 1]  # the first left more than a minute ago


def test_a_stranger_gets_a_new_id() -> None:
    street = Street()
    street.show({0: street.appearance()})
    street.wait(5)
    assert street.show({1: street.appearance()}, images=30) == [1]


@pytest.mark.parametrize("is_present", [True, False])
def test_where_two_look_alike_nobody_is_joined(is_present: bool) -> None:
    street = Street()
    twin = street.appearance()
    street.show({0: twin, 1: twin + 0.3 * SPREADS})
    street.wait(5)
    shown = {1: twin + 0.3 * SPREADS} if is_present else {}
    assert street.show({2: twin} | shown)[0] == 2


def test_who_is_in_the_image_is_nobody_else() -> None:
    street = Street()
    one = street.appearance()
    street.show({0: one})
    assert street.show({0: one, 1: one}) == [0, 1]
    street.wait(2)
    assert street.show({1: one}) == [1]


def test_who_is_hidden_has_not_left() -> None:
    street = Street()
    one = street.appearance()
    street.show({0: one}, noise=0.0)
    assert street.show({1: one}, noise=0.0, hidden=(0,)) == [1]
    assert street.show({1: one}, images=1, noise=0.0) == [0]  # the tracker dropped the first track


def test_who_is_given_up_late_still_gets_the_id_back() -> None:
    """The new track has by then been compared with all others, and with nobody any more."""
    street = Street()
    one = street.appearance()
    street.show({0: one}, noise=0.0)
    assert street.show({1: one}, images=2 * LAST_IMAGES, noise=0.0, hidden=(0,)) == [1]
    saved = street.identities.snapshot()
    street.identities = Identities()
    street.identities.restore(saved)
    assert street.show({1: one}, images=1, noise=0.0) == [0]


def test_who_is_hidden_for_longer_than_people_are_remembered_keeps_the_id() -> None:
    street = Street()
    one, other = street.appearance(), street.appearance()
    street.show({0: one}, noise=0.0)
    street.wait(5)
    assert street.show({1: one}, noise=0.0) == [0]
    street.wait(REMEMBER_S + 1)
    assert street.show({2: other}, hidden=(1,)) == [2]
    assert street.show({1: one, 2: other}) == [0, 2]


def test_a_track_that_is_found_again_shares_its_id_with_nobody() -> None:
    """Two who look alike: the second comes while the tracker waits for the first."""
    tracker = Tracker(IdSource(), TrackerConfig(confirm_frames=1))
    street = Street()
    one, places = street.appearance(), ([0, 100, 60, 280], [400, 100, 460, 280])
    for image in range(40):
        there = (image < 10 or image >= 18, image >= 10)
        boxes = [place for place, is_there in zip(places, there, strict=True) if is_there]
        tracks = tracker.update(image * STEP_NS, detections_from(boxes))
        seen = tracks.select(tracks.states != TrackState.COASTING)
        appearances = np.tile(one, (len(seen), 1))
        ids = street.identities.name(
            image * STEP_NS, seen.ids, appearances, tracks.ids, REMEMBER_S
        )
        assert len(set(ids.tolist())) == len(ids) == sum(there)
    assert sorted(ids.tolist()) == [0, 1]


def test_who_is_never_seen_well_is_not_joined() -> None:
    street = Street()
    one = street.appearance()
    street.show({0: one})
    street.wait(5)
    assert street.show({1: np.full(len(SPREADS), np.nan)}, images=10) == [1]


def test_wrong_joins_are_rarer_than_missed_ones() -> None:
    """Many rooms of four people and a stranger, who differ by little more than visits do."""
    wrong = missed = joined = 0
    for seed in range(150):
        street = Street(seed)
        people = [street.appearance(apart=2.0) for _ in range(5)]
        street.show(dict(enumerate(people[:4])), noise=0.7)
        street.wait(10)
        ids = street.show({5 + row: person for row, person in enumerate(people)}, noise=0.7)
        wrong += sum(id_ != row and id_ < 5 for row, id_ in enumerate(ids))
        joined += sum(id_ == row for row, id_ in enumerate(ids[:4]))
        missed += sum(id_ >= 5 for id_ in ids[:4])
    assert joined > 60
    assert wrong < 0.2 * missed
    assert wrong < 0.1 * joined


def test_restored_identities_continue_alike() -> None:
    street = Street()
    one, two = street.appearance(), street.appearance()
    street.show({0: one, 1: two})
    street.wait(3)
    street.show({2: two}, images=3)
    saved = street.identities.snapshot()
    street.identities = Identities()
    street.identities.restore(saved)
    assert street.show({2: two}, images=3) == [1]
    street.identities.reset()
    assert street.show({2: two}, images=10) == [2]


def test_nobody() -> None:
    nobody = np.empty(0, np.int64)
    ids = Identities().name(0, nobody, np.empty((0, len(SPREADS))), nobody, REMEMBER_S)
    assert ids.shape == (0,)
