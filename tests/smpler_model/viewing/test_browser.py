"""The page in a real browser: Debian's `chromium`, driven by Playwright; skipped without them."""

import colorsys
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.browser import PROGRAM, open_browser
from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.drawing.palette import colours_of
from smpler_model.viewing.moments import Moment
from smpler_model.viewing.page import Page
from smpler_model.viewing.player import RecordingPlayer
from smpler_model.viewing.recording import RecordedFrame, Recording
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import SkinnedSurface
from tests.smpler_model.viewing.conftest import CAMERA, moment_of, posed_people

pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
pytest.importorskip("playwright.sync_api", reason="needs `pip install playwright`")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which(PROGRAM), reason="needs Debian's chromium"),
]

ROOT = Path(__file__).parents[3]
SIZE = (480, 360)  # of the window; as wide as the camera's image
WAIT_S = 240.0  # software rendering takes seconds an image on a busy machine
SPINE = 3


@pytest.fixture
def browser() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


def open_tab(browser: Any, page: Page) -> Any:  # noqa: ANN401 - Playwright is optional
    """Return a tab of its own window that shows the page."""
    tab = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    tab.set_default_timeout(1e3 * WAIT_S)
    tab.goto(page.address)
    return tab


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def hue_and_saturation(rgb: np.ndarray) -> tuple[float, float]:
    hue, saturation, _ = colorsys.rgb_to_hsv(*(rgb / 255).tolist())
    return hue, saturation


def test_a_body_is_drawn_where_the_camera_sees_it(
    page: Page,
    builtin: BodyArrays,
    browser: Any,  # noqa: ANN401 - Playwright is optional
) -> None:
    people = posed_people(Body(builtin).eval(), 1)
    scene = Scene(page.server, SkinnedSurface(builtin))
    scene.choices.labels = scene.choices.camera = False
    scene.show(moment_of(people), {}, exact=True)
    tab = open_tab(browser, page)
    assert page.wait_for_watchers(WAIT_S)
    [client] = page.server.get_clients().values()
    scene.look_through(client)
    spine = CAMERA.project(people.joints_m[0, SPINE])
    x, y = (spine * SIZE[0] / CAMERA.width).round().astype(int)
    expected, _ = hue_and_saturation(colours_of(people.ids)[0].astype(float))
    deadline = time.monotonic() + WAIT_S
    while True:
        image = client.get_render(SIZE[1], SIZE[0], transport_format="png", timeout=WAIT_S)
        hue, saturation = hue_and_saturation(image[y, x, :3].astype(float))
        if saturation > 0.2 and abs(hue - expected) < 0.05:
            break
        assert time.monotonic() < deadline, (image[y, x], expected)
        time.sleep(0.5)
    outside = image[y, 8, :3].astype(float)
    assert hue_and_saturation(outside)[1] < 0.1
    # Only the body is colourful; its outline must match its projection.
    assert people.vertices_m is not None
    spread = image[..., :3].max(-1).astype(int) - image[..., :3].min(-1)
    _, parts = cv2.connectedComponents((spread > 40).astype(np.uint8))
    rows, columns = np.nonzero(parts == parts[y, x])
    pixels = CAMERA.project(people.vertices_m[0]) * SIZE[0] / CAMERA.width
    for seen, true in ((columns, pixels[:, 0]), (rows, pixels[:, 1])):
        assert abs(seen.min() - true.min()) < 4
        assert abs(seen.max() - true.max()) < 4
    tab.close()


def test_people_who_leave_and_come_back_do_not_break_the_page(
    page: Page,
    builtin: BodyArrays,
    browser: Any,  # noqa: ANN401
) -> None:
    body = Body(builtin).eval()
    scene = Scene(page.server, SkinnedSurface(builtin))
    errors: list[str] = []
    tab = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(1e3 * WAIT_S)
    tab.goto(page.address)
    assert page.wait_for_watchers(WAIT_S)
    [client] = page.server.get_clients().values()
    scene.choices.labels = scene.choices.camera = False
    for index, n in enumerate((1, 3, 1, 2, 1)):
        scene.show(moment_of(posed_people(body, n, seed=index), index), {}, exact=True)
        wait_until(lambda: np.isfinite(column_of(client)) or bool(errors))
    tab.evaluate("0")  # lets errors arrive
    assert errors == []
    tab.close()


@pytest.mark.parametrize("height_m", [1.2, 0.9170])
def test_through_the_camera_its_image_fills_the_picture(
    page: Page,
    builtin: BodyArrays,
    browser: Any,  # noqa: ANN401
    height_m: float,
) -> None:
    """The edges of the field of view, which meet in the eye, hide none of it."""
    colour = np.array([40, 160, 90], np.uint8)
    rgb = np.broadcast_to(colour, (CAMERA.height, CAMERA.width, 3)).copy()
    people = posed_people(Body(builtin).eval(), 1)
    moment = replace(moment_of(people), rgb=rgb, world_from_camera=level_camera(height_m, 0.0))
    scene = Scene(page.server, SkinnedSurface(builtin))
    scene.choices.labels = scene.choices.bodies = scene.choices.floor = False
    scene.show(moment, {}, exact=True)
    tab = open_tab(browser, page)
    assert page.wait_for_watchers(WAIT_S)
    [client] = page.server.get_clients().values()
    scene.look_through(client)

    def share() -> float:
        image = client.get_render(SIZE[1], SIZE[0], transport_format="png", timeout=WAIT_S)
        return float((abs(image[..., :3].astype(int) - colour).max(-1) < 12).mean())

    wait_until(lambda: share() > 0.95)
    tab.close()


PLACES_M = (-1.0, 0.0, 1.0)  # of the person, to the right, in the frames of a recording


class Counted(Recording):
    """Counts the moments that are asked for."""

    asked = 0

    def moment(self, index: int, *, image: bool = True) -> Moment:
        self.asked += 1
        return super().moment(index, image=image)


@contextmanager
def playing(
    page: Page, builtin: BodyArrays, frame: int | None
) -> Iterator[tuple[RecordingPlayer, Counted]]:
    """Play somebody who walks to the right, seen from behind the camera."""
    people = posed_people(Body(builtin).eval(), 1)
    frames = [
        RecordedFrame(index * 10**9, CAMERA, replace(people, joints_m=people.joints_m + moved))
        for index, moved in enumerate(np.array([[place, 0.0, 0.0] for place in PLACES_M]))
    ]
    recording = Counted("walk", frames)
    scene = Scene(page.server, SkinnedSurface(builtin))
    scene.choices.labels = scene.choices.camera = False
    player = RecordingPlayer(page, recording, scene, frame)
    thread = threading.Thread(target=player.run)
    thread.start()
    try:
        yield player, recording
    finally:
        player.stop()
        thread.join()


def column_of(client: Any) -> float:  # noqa: ANN401 - viser is optional
    """Return where the body's colour is in a browser's picture, from left 0 to right 1."""
    image = client.get_render(SIZE[1], SIZE[0], transport_format="png", timeout=WAIT_S)
    hsv = cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2HSV).astype(int)  # hues up to 180
    expected, _ = hue_and_saturation(colours_of([3])[0].astype(float))
    columns = np.nonzero((hsv[..., 1] > 60) & (abs(hsv[..., 0] - 180 * expected) < 10))[1]
    return float(columns.mean()) / SIZE[0] if len(columns) > 50 else float("nan")


def test_the_timeline_moves_the_body(
    page: Page,
    builtin: BodyArrays,
    browser: Any,  # noqa: ANN401
) -> None:
    with playing(page, builtin, 0) as (player, _):
        tab = open_tab(browser, page)
        assert page.wait_for_watchers(WAIT_S)
        [client] = page.server.get_clients().values()
        wait_until(lambda: np.isfinite(column_of(client)))
        before = column_of(client)
        tab.get_by_role("slider").first.press("End")
        wait_until(lambda: player.index == len(PLACES_M) - 1)
        wait_until(lambda: column_of(client) > before + 0.1)
        tab.close()


def test_a_browser_that_leaves_costs_nothing(
    page: Page,
    builtin: BodyArrays,
    browser: Any,  # noqa: ANN401
) -> None:
    """Two of them show the same; the recording plays until both have gone."""
    with playing(page, builtin, None) as (player, recording):
        time.sleep(1.0)
        assert (recording.asked, player.index) == (0, 0)
        first, second = open_tab(browser, page), open_tab(browser, page)
        wait_until(lambda: len(page.server.get_clients()) == 2)
        wait_until(lambda: recording.asked > len(PLACES_M))
        for client in page.server.get_clients().values():
            wait_until(lambda client=client: np.isfinite(column_of(client)))  # type: ignore[misc]
        first.close()
        wait_until(lambda: len(page.server.get_clients()) == 1)
        asked = recording.asked
        wait_until(lambda: recording.asked > asked + 2)
        second.close()
        wait_until(lambda: not page.is_watched)
        time.sleep(1.5)
        asked, used_s = recording.asked, time.process_time()
        time.sleep(2.0)
        assert recording.asked == asked
        assert time.process_time() - used_s < 0.2


def test_an_open_page_does_not_grow(tmp_path: Path) -> None:
    """Ten minutes are `python -m benchmarks.page_memory`; the first reading is at a quarter."""
    path = tmp_path / "held.json"
    command = [sys.executable, "-m", "benchmarks.page_memory", "--people", "1", "--rate", "10"]
    duration = ["--minutes", "1", "--readings", "4", "--json", str(path)]
    subprocess.run([*command, *duration], cwd=ROOT, check=True, capture_output=True)
    first, *_, last = json.loads(path.read_text())["rows"]
    assert last["images"] > first["images"] > 0
    assert last["messages"] < 1.2 * first["messages"]
    assert last["heap_mb"] < 1.3 * first["heap_mb"] + 10
    assert last["server_mib"] < 1.1 * first["server_mib"]
