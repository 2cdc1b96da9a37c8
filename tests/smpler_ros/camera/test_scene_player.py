"""Films on simulated and real clocks."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from smpler_model.assembly import pipeline_config
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.detectors.detector import detections_from
from smpler_model.people.tracker import IdSource, Tracker
from smpler_model.settings.pipeline import PipelineSettings
from smpler_ros.camera.scene_film import make_film
from smpler_ros.camera.scene_player import (
    JUMP_NS,
    ClockWatch,
    Film,
    FilmPlayer,
    PlayerHost,
    SceneShot,
)
from smpler_ros.parameters.scene_settings import LENSES, SceneSettings
from synthetic.scene import SyntheticScene

pytestmark = pytest.mark.slow

CAMERA = Camera(64, 48, 52.0, 52.0, 31.5, 23.5)
START_NS = 1_000 * NS_PER_S
RATE_HZ = 10.0
PERIOD_NS = round(NS_PER_S / RATE_HZ)


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    body = Body(load_builtin_body())
    return SyntheticScene(body, CAMERA, people=1, seed=1, duration_s=0.5, background="plain")


class Audience:
    """A clock that advances by waiting and that can be set, and the shown images."""

    def __init__(self, until_ns: int = START_NS + 10 * NS_PER_S) -> None:
        self.now_ns = START_NS
        self.set_by_ns = 0
        self.until_ns = until_ns
        self.has_subscribers = True
        self.seen: list[tuple[SceneShot, int, int]] = []
        self.after_showing: Callable[[], None] = lambda: None

    def stage(self) -> PlayerHost:
        watch = ClockWatch(lambda: self.now_ns, lambda: self.now_ns - self.set_by_ns)
        return PlayerHost(
            lambda: self.now_ns, self.wait, lambda: self.has_subscribers, self.show, watch.was_set
        )

    def set_clock(self, by_ns: int) -> None:
        self.now_ns += by_ns
        self.set_by_ns += by_ns

    def wait(self, seconds: float) -> bool:
        self.now_ns += round(seconds * NS_PER_S)
        return self.now_ns >= self.until_ns

    def show(self, shot: SceneShot, stamp_ns: int) -> None:
        self.seen.append((shot, stamp_ns, self.now_ns))
        self.after_showing()

    @property
    def stamps(self) -> list[int]:
        return [stamp for _, stamp, _ in self.seen]


def rendered(scene: SyntheticScene) -> Film:
    film = Film(scene, RATE_HZ)
    while film.render_ahead() < film.length:
        pass
    return film


def test_every_image_is_shown_when_it_is_due(scene: SyntheticScene) -> None:
    film, audience = rendered(scene), Audience()
    player = FilmPlayer(film, audience.stage(), duration_s=2.0)
    player.play()
    assert audience.stamps == [START_NS + i * PERIOD_NS for i in range(20)]
    assert all(stamp == now for _, stamp, now in audience.seen)
    assert (player.shown, player.dropped, film.length) == (20, 0, 5)
    for index, (shot, _, _) in enumerate(audience.seen):
        expected = scene.frame(index % 5 * PERIOD_NS)
        np.testing.assert_array_equal(shot.frame.rgb, expected.frame.rgb)
        np.testing.assert_array_equal(shot.truth.rotations, expected.truth.rotations)


def test_the_player_stops_on_request(scene: SyntheticScene) -> None:
    audience = Audience(until_ns=START_NS + round(3.5 * PERIOD_NS))
    FilmPlayer(rendered(scene), audience.stage()).play()
    assert len(audience.seen) == 4


def test_slow_callbacks_drop_images(scene: SyntheticScene) -> None:
    audience = Audience()

    def take_long() -> None:
        audience.now_ns += round(1.5 * PERIOD_NS)

    audience.after_showing = take_long
    player = FilmPlayer(rendered(scene), audience.stage(), duration_s=2.0)
    player.play()
    assert audience.stamps == [START_NS + i * PERIOD_NS for i in range(0, 20, 2)]
    assert (player.shown, player.dropped) == (10, 10)


class SlowFilm(Film):
    def shot(self, index: int) -> SceneShot:
        time.sleep(1.4 / self.rate_hz)
        return super().shot(index)


def test_images_rendered_too_late_are_dropped(scene: SyntheticScene) -> None:
    """On a real clock: shown images are on time, and all others are counted."""
    seen: list[tuple[SceneShot, int]] = []
    stage = PlayerHost(
        time.time_ns,
        lambda seconds: bool(time.sleep(seconds)),
        lambda: True,
        lambda *shown: seen.append(shown),
    )
    rate_hz = 25.0
    film = SlowFilm(scene, rate_hz)
    player = FilmPlayer(film, stage, duration_s=0.8)
    player.play()
    indices = [round((stamp - seen[0][1]) * rate_hz / NS_PER_S) for _, stamp in seen]
    assert 2 < len(seen) <= 11
    assert (np.diff(indices) >= 2)[1:].all()
    assert player.shown == len(seen)
    assert player.dropped >= indices[-1] + 1 - len(seen)
    for index, (shot, stamp) in zip(indices, seen, strict=True):
        assert stamp == seen[0][1] + film.time_ns(index)
        assert shot.frame.stamp_ns == film.time_ns(index % film.length)


def test_nothing_is_rendered_or_counted_without_subscribers(scene: SyntheticScene) -> None:
    audience = Audience()
    audience.has_subscribers = False
    player = FilmPlayer(Film(scene, RATE_HZ), audience.stage(), duration_s=2.0)
    player.play()
    assert (audience.seen, player.shown, player.dropped) == ([], 0, 0)
    assert audience.now_ns == START_NS + 19 * PERIOD_NS


@pytest.mark.parametrize("jump_s", [-600, -3, -1, 1, 3, 600])
def test_setting_the_clock_restarts_the_film(scene: SyntheticScene, jump_s: int) -> None:
    jump_ns = jump_s * NS_PER_S
    audience = Audience(until_ns=2 * START_NS)

    def jump() -> None:
        if len(audience.seen) == 3:
            audience.set_clock(jump_ns)

    audience.after_showing = jump
    player = FilmPlayer(rendered(scene), audience.stage(), duration_s=1.0)
    player.play()
    again = START_NS + 2 * PERIOD_NS + jump_ns
    assert audience.stamps[:3] == [START_NS + i * PERIOD_NS for i in range(3)]
    assert audience.stamps[3:] == [again + i * PERIOD_NS for i in range(7)]
    assert player.dropped == 0


def test_setting_the_clock_back_while_waiting_does_not_stop_the_film(
    scene: SyntheticScene,
) -> None:
    audience = Audience()
    host, waits = audience.stage(), 0

    def wait(seconds: float) -> bool:
        nonlocal waits
        waits += 1
        if waits == 6:
            audience.set_clock(-3 * NS_PER_S)
        return audience.wait(seconds)

    FilmPlayer(rendered(scene), replace(host, wait=wait), duration_s=1.0).play()
    assert np.diff(audience.stamps).max() == PERIOD_NS
    assert np.diff(audience.stamps).min() < -2 * NS_PER_S
    assert len(audience.stamps) == 10


@pytest.mark.parametrize("jump_s", [-600, 600])
def test_a_far_jump_of_a_simulated_clock_restarts_the_film(
    scene: SyntheticScene, jump_s: int
) -> None:
    audience = Audience(until_ns=2 * START_NS)

    def jump() -> None:
        if len(audience.seen) == 3:
            audience.now_ns += jump_s * NS_PER_S

    audience.after_showing = jump
    host = replace(audience.stage(), was_set=lambda: False)
    FilmPlayer(rendered(scene), host, duration_s=1.0).play()
    again = START_NS + 2 * PERIOD_NS + jump_s * NS_PER_S
    assert audience.stamps[3:] == [again + i * PERIOD_NS for i in range(7)]
    assert abs(jump_s) * NS_PER_S > JUMP_NS


def test_the_player_waits_for_a_simulated_clock(scene: SyntheticScene) -> None:
    audience = Audience()
    times = iter([0, 0, 0])
    stage = PlayerHost(
        lambda: next(times, audience.now_ns), audience.wait, lambda: True, audience.show
    )
    FilmPlayer(rendered(scene), stage, duration_s=0.5).play()
    assert audience.stamps[0] >= START_NS
    assert len(audience.stamps) == 5


def count_tracks(settings: SceneSettings, loops: int) -> list[int]:
    """Track the visible people with usual settings, and count tracks after each loop."""
    film, ids, counts = make_film(settings), set[int](), list[int]()
    tracker = Tracker(IdSource(), pipeline_config(PipelineSettings()).tracker)
    boxes = [film.shot(index).truth.visible_boxes_xyxy for index in range(film.length)]
    for loop in range(loops):
        for place, seen in enumerate(boxes):
            stamp_ns = film.time_ns(loop * film.length + place)
            ids.update(tracker.update(stamp_ns, detections_from(seen)).ids.tolist())
        counts.append(len(ids))
    return counts


def test_no_track_continues_into_the_next_loop() -> None:
    """New people get new ids; if the room is never empty, some inherit others' ids."""
    settings = SceneSettings(width=96, height=72, rate=5.0, loop=4.0, people=2, background="plain")
    assert count_tracks(settings, 2) == [2, 4]
    assert count_tracks(replace(settings, empty=0.0), 2) == [2, 3]


def test_a_loop_without_people_is_refused() -> None:
    with pytest.raises(ValueError, match=r"empty must be shorter than loop, got 1\.5 s of 1 s"):
        make_film(SceneSettings(loop=1.0))


def test_a_loop_beyond_the_memory_limit_is_refused() -> None:
    settings = SceneSettings(loop=600.0, people=0)
    with pytest.raises(ValueError, match="must fit into 1024 MB, but 9000 of them take 8294 MB"):
        make_film(settings)
    film = make_film(replace(settings, rendering="live"))
    assert (film.length, round(film.size_mb)) == (9000, 8294)


@pytest.mark.parametrize("lens", LENSES)
def test_every_lens_can_be_rendered(lens: str) -> None:
    film = make_film(SceneSettings(lens=lens, width=128, height=96, empty=0.0, publish_depth=True))
    assert (film.scene.camera.lens, film.scene.camera.calibrated) == (lens, True)
    frame = film.shot(0).frame
    assert frame.rgb.shape == (96, 128, 3)
    assert frame.depth_m is not None
    assert np.isfinite(frame.depth_m).all()
