"""The page in a real browser: Debian's `chromium`, driven by Playwright; skipped without them."""

import colorsys
import shutil
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.drawing.palette import colours_of
from smpler_model.viewing.page import Page
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import BodySurface
from tests.smpler_model.viewing.conftest import CAMERA, moment_of, posed_people

pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs `pip install playwright`")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs Debian's chromium"),
]

SIZE = (480, 360)  # of the window; as wide as the camera's image
WAIT_S = 240.0  # software draws an image in seconds where other work shares the cores
SPINE = 3
FLAGS = (
    *("--no-sandbox", "--disable-dev-shm-usage", "--ignore-gpu-blocklist"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


@pytest.fixture
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        yield browser
        browser.close()


def hue_and_saturation(rgb: np.ndarray) -> tuple[float, float]:
    hue, saturation, _ = colorsys.rgb_to_hsv(*(rgb / 255).tolist())
    return hue, saturation


def test_a_body_has_its_colour_where_the_camera_says(
    page: Page,
    builtin: BodyArrays,
    browser: Any,  # noqa: ANN401 - Playwright is optional
) -> None:
    people = posed_people(Body(builtin).eval(), 1)
    scene = Scene(page.server, BodySurface(builtin))
    scene.choices.labels = scene.choices.camera = False
    scene.show(moment_of(people), {}, exact=True)
    tab = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    tab.set_default_timeout(1e3 * WAIT_S)
    tab.goto(page.address)
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
    # Nothing but the body is that colourful around it: its outline is where the camera sees it.
    assert people.vertices_m is not None
    spread = image[..., :3].max(-1).astype(int) - image[..., :3].min(-1)
    _, parts = cv2.connectedComponents((spread > 40).astype(np.uint8))
    rows, columns = np.nonzero(parts == parts[y, x])
    pixels = CAMERA.project(people.vertices_m[0]) * SIZE[0] / CAMERA.width
    for seen, true in ((columns, pixels[:, 0]), (rows, pixels[:, 1])):
        assert abs(seen.min() - true.min()) < 4
        assert abs(seen.max() - true.max()) < 4
    tab.close()
