"""Examples from photos with one labelled person; the initial detector finds the others."""

from collections.abc import Iterator, Sequence

import numpy as np

from smpler_model.detectors.box_overlap import box_areas, box_overlaps
from smpler_model.detectors.detector import Detector
from smpler_model.sources import read_image
from training.data.prepare_photos import PhotoLabels
from training.detection.examples import HEIGHT, WIDTH, Example, ExampleWindow, Pixels, whole_image

_WHOLE_SHARE = 0.3  # of the examples: photos as they are
_AROUND = (1.3, 4.0)  # side of a window over the person's
_OUTSIDE = 0.35  # largest offset of a window's centre from the person, as a share of the window
UNSURE = 0.1
"""Score from which on people of the initial detector are ignored, found or not."""

_SURE = 0.5  # score of people who must be found
_SAME = 0.5  # intersection over union with the labelled person
_LEAST_INSIDE = 0.12  # of the box of somebody who counts, in the window
_SMALLEST_PX = 12  # height in the example of somebody who counts


def draw_photo_examples(
    photos: Sequence[PhotoLabels],
    images: int,
    detector: Detector,
    weight: float,
    seed: int = 0,
) -> Iterator[Example]:
    """Yield windows of random photos; a person cut by a window looks like one who enters.

    Args:
        photos: photos with labels; those without people are left out.
        images: number of examples.
        detector: finds people without labels, from the score `UNSURE` on.
        weight: weight of each example.
        seed: random seed.
    """
    rng = np.random.default_rng((seed, 1))
    shown = [photo for photo in photos if photo.people]
    for row in rng.permutation(len(shown))[:images]:
        rgb = read_image(shown[row].image)
        labelled = shown[row].boxes_xyxy
        chosen = rng.integers(len(labelled)) if len(labelled) > 1 else 0
        window = _draw_window(rng, labelled[chosen], rgb)
        yield _see(rgb, labelled, window, detector, weight)


def _draw_window(rng: np.random.Generator, box_xyxy: np.ndarray, rgb: Pixels) -> ExampleWindow:
    height, width = rgb.shape[:2]
    if rng.random() < _WHOLE_SHARE:
        return whole_image(width, height)
    size = box_xyxy[2:] - box_xyxy[:2]
    ratio = rng.uniform(*_AROUND)
    scale = min(WIDTH / (ratio * size[0]), HEIGHT / (ratio * size[1]))
    reach = np.array([WIDTH, HEIGHT]) / scale
    middle = (box_xyxy[:2] + box_xyxy[2:]) / 2 + rng.uniform(-1, 1, 2) * _OUTSIDE * reach
    left, top = middle - reach / 2
    # As little as possible outside the photo.
    left = np.clip(left, 0, max(width - reach[0], 0))
    top = np.clip(top, 0, max(height - reach[1], 0))
    return ExampleWindow(float(left), float(top), float(scale))


def _see(
    rgb: Pixels,
    labelled_xyxy: np.ndarray,
    window: ExampleWindow,
    detector: Detector,
    weight: float,
) -> Example:
    found = detector.detect(rgb)
    boxes, scores = found.boxes_xyxy + 0.5, found.scores
    same = box_overlaps(labelled_xyxy, boxes) >= _SAME
    # Labelled people count, however unsure the detector is; its boxes are the better ones.
    scores = np.where(same.any(0), 1.0, scores)
    missed = labelled_xyxy[~same.any(1)]
    knows = np.arange(len(boxes) + len(missed)) < len(boxes)
    boxes, scores = np.vstack([boxes, missed]), np.append(scores, np.ones(len(missed)))
    inside = window.clip(boxes)
    share = box_areas(inside) / np.maximum(box_areas(boxes) * window.scale**2, 1e-9)
    tall = (inside[:, 3] - inside[:, 1]) >= _SMALLEST_PX
    counts = (scores >= _SURE) & (share >= _LEAST_INSIDE) & tall
    there = (box_areas(inside) > 0) & (scores >= UNSURE)
    return Example(window.cut(rgb), inside[there], counts[there], knows[there], weight)
