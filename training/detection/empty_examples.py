"""Examples without people: windows of photos without people, or beside the people in photos.

Otherwise all images without people would be drawn rooms, and every photo would show a person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.detectors.box_overlap import box_areas
from smpler_model.detectors.detector import Detector
from smpler_model.sources import IMAGE_SUFFIXES, read_image
from training.data.prepare_photos import PhotoLabels
from training.detection.examples import HEIGHT, WIDTH, Example, ExampleWindow

_TRIES = 48  # windows of a photo
_LEAST_SHARE = 0.15  # of the largest window of the examples' aspect ratio that fits into the photo
_LEAST_PX = 64  # width of a window
_AROUND = 0.05  # of a person's box, on each side: hair, hands and shadows


@dataclass(frozen=True)
class Scenery:
    """A photo, and the people in it.

    Attributes:
        image: path of the image.
        boxes_xyxy: (n, 4) the labelled people, pixels; None if it shows no people.
    """

    image: Path
    boxes_xyxy: Floats | None = None


def find_scenery(photos: Sequence[PhotoLabels], folders: Sequence[Path]) -> list[Scenery]:
    """Return labelled photos, and all images at any depth of folders of photos without people.

    Raises:
        FileNotFoundError: a folder has no images.
    """
    found = [Scenery(photo.image, photo.boxes_xyxy) for photo in photos]
    for folder in folders:
        images = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES
        )
        if not images:
            raise FileNotFoundError(
                f"empty_photos must be folders of photos without people, got none in {folder}; "
                "correct it, or put photos there"
            )
        found += [Scenery(path) for path in images]
    return found


def draw_empty_examples(
    scenery: Sequence[Scenery],
    images: int,
    detector: Detector,
    weight: float,
    seed: int = 0,
) -> Iterator[Example]:
    """Yield windows without people; photos that have none are left out.

    Args:
        scenery: photos.
        images: number of examples, at most.
        detector: finds the people of labelled photos who have no label, from the score
            `photo_examples.UNSURE` on, also in the window.
        weight: weight of each example.
        seed: random seed.
    """
    rng = np.random.default_rng((seed, 2))
    nobody = np.zeros((0, 4))
    drawn = 0
    for row in rng.permutation(len(scenery)):
        if drawn == images:
            return
        photo = scenery[row]
        rgb = read_image(photo.image)
        is_labelled = photo.boxes_xyxy is not None
        people = nobody
        if is_labelled:
            people = np.vstack([photo.boxes_xyxy, detector.detect(rgb).boxes_xyxy + 0.5])
        window = _find_window(rng, people, *rgb.shape[1::-1])
        if window is None:
            continue
        pixels = window.cut(rgb)
        # Small people in the background are found when they are larger.
        if is_labelled and len(detector.detect(pixels)):
            continue
        drawn += 1
        yield Example(pixels, nobody, nobody[:, 0] > 0, nobody[:, 0] > 0, weight)


def _find_window(
    rng: np.random.Generator, people_xyxy: Floats, width: int, height: int
) -> ExampleWindow | None:
    """Return the largest of several random windows without people; None if there is none."""
    largest = min(width / WIDTH, height / HEIGHT)
    around = _AROUND * (people_xyxy[:, 2:] - people_xyxy[:, :2])
    people = people_xyxy + np.hstack([-around, around])
    sizes = np.sort(rng.uniform(_LEAST_SHARE, 1.0, _TRIES))[::-1] * largest
    for size, place in zip(sizes, rng.random((_TRIES, 2)), strict=True):
        left, top = place * (width - size * WIDTH, height - size * HEIGHT)
        window = ExampleWindow(float(left), float(top), float(1 / size))
        if size * WIDTH >= _LEAST_PX and not box_areas(window.clip(people)).any():
            return window
    return None
