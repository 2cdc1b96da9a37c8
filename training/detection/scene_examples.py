"""Examples from synthetic rooms, in which all boxes are known, those of hidden people too."""

from collections.abc import Iterator

import numpy as np

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.detectors.box_overlap import box_areas
from synthetic.scene import SyntheticScene
from synthetic.truth import SceneFrame
from training.detection.examples import Example, ExampleWindow, whole_image

_SIZE = (640, 480)
_FOV_DEG = (40.0, 80.0)
_MOST_PEOPLE = 6
_WINDOW_SHARE = 0.6  # of the images; the others are seen as a whole
_LEAST_WINDOW = 0.45  # of the image's width
_DURATION_S = 60.0
_LEAST_PX = 40  # visible pixels of a person who must be found, in the example, and
_LEAST_SHARE = 0.06  # their share of the box; a whole body fills about 0.4 of it
_NS = 1e9


def draw_scene_examples(
    seeds: range, images: int, empty_share: float, seed: int = 0
) -> Iterator[Example]:
    """Yield images of rooms at random times, some of them cut.

    Args:
        seeds: seeds of the rooms.
        images: number of images per room.
        empty_share: share of rooms without people.
        seed: random seed of times and windows.
    """
    body = Body(load_builtin_body())
    for place in seeds:
        rng = np.random.default_rng((seed, place))
        people = 0 if rng.random() < empty_share else int(rng.integers(2, _MOST_PEOPLE + 1))
        camera = camera_from_field_of_view(*_SIZE, rng.uniform(*_FOV_DEG))
        scene = SyntheticScene(body, camera, people=people, seed=place, duration_s=_DURATION_S)
        for _ in range(images):
            shown = scene.frame(round(rng.uniform(0, _DURATION_S) * _NS))
            yield _see(shown, _draw_window(rng))


def _draw_window(rng: np.random.Generator) -> ExampleWindow:
    """Return a window; people cut by it look like ones who enter an image."""
    whole = whole_image(*_SIZE)
    if rng.random() > _WINDOW_SHARE:
        return whole
    share = rng.uniform(_LEAST_WINDOW, 1.0)
    left, top = (rng.uniform(0, (1 - share) * side) for side in _SIZE)
    return ExampleWindow(left, top, whole.scale / share)


def _see(shown: SceneFrame, window: ExampleWindow) -> Example:
    truth = shown.truth
    boxes = window.clip(truth.boxes_xyxy + 0.5)  # there the centres of pixels are integers
    labels = window.cut(shown.people.astype(np.uint8), is_smooth=False)
    visible = np.bincount(labels.reshape(-1), minlength=256)[truth.ids]
    there = (visible > 0) & (box_areas(boxes) > 0)
    counts = (visible >= _LEAST_PX) & (visible >= _LEAST_SHARE * box_areas(boxes))
    pixels = window.cut(shown.frame.rgb)
    n = int(there.sum())
    return Example(pixels, boxes[there], counts[there], np.ones(n, np.bool_))
