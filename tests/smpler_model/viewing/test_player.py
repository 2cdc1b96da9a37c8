"""Playback of recordings on a page."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.people.floor import find_soles
from smpler_model.viewing import player as player_module
from smpler_model.viewing.moments import Moment
from smpler_model.viewing.page import Page
from smpler_model.viewing.player import RecordingPlayer
from smpler_model.viewing.recording import RecordedFrame, Recording
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import SkinnedSurface
from tests.smpler_model.viewing.conftest import CAMERA, posed_people

pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")

from tests.smpler_model.viewing.watcher import Watcher

STEP_NS = 50_000_000
FRAMES = 12


class Counted(Recording):
    """Counts how many moments are read."""

    asked = 0

    def moment(self, index: int, *, image: bool = True) -> Moment:
        Counted.asked += 1
        return super().moment(index, image=image)


@pytest.fixture(scope="module")
def recording(builtin: BodyArrays) -> Recording:
    body = Body(builtin).eval()
    frames = [
        RecordedFrame(index * STEP_NS, CAMERA, posed_people(body, 1, seed=index))
        for index in range(FRAMES)
    ]
    return Counted("walk", frames)


@pytest.fixture
def start(
    page: Page, recording: Recording, builtin: BodyArrays
) -> Iterator[Callable[[int | None], RecordingPlayer]]:
    players: list[tuple[RecordingPlayer, threading.Thread]] = []

    def begin(frame: int | None) -> RecordingPlayer:
        scene = Scene(page.server, SkinnedSurface(builtin))
        player = RecordingPlayer(page, recording, scene, frame)
        thread = threading.Thread(target=player.run)
        thread.start()
        players.append((player, thread))
        return player

    yield begin
    for player, thread in players:
        player.stop()
        thread.join()


def test_seeking_shows_the_exact_pose_of_a_frame(
    page: Page, recording: Recording, start: Callable[[int | None], RecordingPlayer]
) -> None:
    player = start(3)
    watcher = Watcher(page.address)
    for frame in (3, 7, 0):
        player.seek(frame)
        people = recording.moment(frame).people
        assert people.vertices_m is not None
        expected = people.vertices_m[0]

        def is_shown(expected: np.ndarray = expected) -> bool:
            names = watcher.surfaces()
            return len(names) == 1 and np.allclose(watcher.surface(names[0]), expected, atol=1e-4)

        watcher.wait(is_shown)
    watcher.close()


def test_it_loops_and_plays_only_while_a_browser_is_open(
    page: Page, start: Callable[[int | None], RecordingPlayer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "_IDLE_S", 0.1)
    Counted.asked = 0
    player = start(None)
    time.sleep(0.3)
    assert (Counted.asked, player.index) == (0, 0)
    watcher = Watcher(page.address)
    seen: set[int] = set()

    def has_looped() -> bool:
        seen.add(player.index)
        return len(seen) > 2 and player.index < max(seen)

    watcher.wait(has_looped, timeout_s=60)
    watcher.close()
    deadline = time.monotonic() + 10
    while page.is_watched:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.6)
    asked = Counted.asked
    time.sleep(0.5)
    assert Counted.asked == asked


def test_the_floor_is_under_the_feet(recording: Recording) -> None:
    moments = [recording.moment(index) for index in range(FRAMES)]
    world = moments[0].world_from_camera
    assert all((moment.world_from_camera == world).all() for moment in moments)
    lower = [
        (find_soles(m.people.rotations, m.people.joints_m) @ world[2, :3] + world[2, 3]).min()
        for m in moments
    ]
    assert np.median(np.abs(lower)) < 0.1


def test_a_recording_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="the people of at least one image, got none"):
        Recording("nothing", [])
