"""Recall of small people by height: `python -m benchmarks.small_people [--detector D]`.

Drawn people are cut out, scaled to known heights in pixels, and pasted into an empty room in
images of several sizes, each at a place of its own. A person counts as found if a box of the given
score and the box of the person's pixels have an intersection over union of at least 0.5. The last
column is the processor time of an image.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import format_table, write_results
from benchmarks.tracking import match
from smpler_model.array_types import RgbImage
from smpler_model.assembly import choose_device, detector_factory
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.detectors.detector import Detector
from smpler_model.settings.pipeline import DETECTORS, PipelineSettings
from synthetic.scene import SyntheticScene

HEIGHTS_PX = (40, 50, 60, 80, 100, 130, 170)
SIZES = ((640, 480), (1280, 720), (1920, 1080))
SCORES = (PipelineSettings().keep_score, PipelineSettings().detection_score)

_PEOPLE_AN_IMAGE = 4
_FIRST_SEED = 500
_SOURCE = (640, 480)
_FOV_DEG = 60.0
_DURATION_S = 30.0
_SOFT = 0.5  # opacity from which on a pixel is the person's

Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class CutOut:
    """A person cut out of an image.

    Attributes:
        rgb: (h, w, 3).
        opacity: (h, w) 0 or 1.
    """

    rgb: RgbImage
    opacity: NDArray[np.float32]

    def scale_to(self, height: int) -> CutOut:
        """Return the person at another height, pixels."""
        width = max(1, round(self.rgb.shape[1] * height / self.rgb.shape[0]))
        rgb, opacity = (
            cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA)
            for each in (self.rgb, self.opacity)
        )
        return CutOut(np.asarray(rgb, np.uint8), np.asarray(opacity, np.float32))

    def paste(self, canvas: RgbImage, left: int, top: int) -> list[float]:
        """Draw the person into an image; return the box around its pixels."""
        height, width = self.opacity.shape
        part = canvas[top : top + height, left : left + width]
        alpha = self.opacity[..., None]
        part[:] = np.rint(alpha * self.rgb + (1 - alpha) * part)
        rows, columns = np.nonzero(self.opacity >= _SOFT)
        low, high = (
            (left + columns.min(), top + rows.min()),
            (left + columns.max(), top + rows.max()),
        )
        return [float(edge) for edge in (*low, *high)]


def cut_people_out(count: int) -> list[CutOut]:
    """Return whole people standing, walking or sitting, each with a different appearance."""
    body = Body(load_builtin_body())
    camera = camera_from_field_of_view(*_SOURCE, _FOV_DEG)
    found: list[CutOut] = []
    seed = _FIRST_SEED
    while len(found) < count:
        scene = SyntheticScene(
            body, camera, people=1, seed=seed, duration_s=_DURATION_S, background="plain"
        )
        shown = scene.frame(round(1e9 * np.random.default_rng(seed).uniform(0, _DURATION_S)))
        seed += 1
        mask = shown.people > 0
        edges = mask[[0, -1]].any() or mask[:, [0, -1]].any()
        if edges or not mask.any():
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        found.append(CutOut(shown.frame.rgb[part].copy(), mask[part].astype(np.float32)))
    return found


def draw_room(size: tuple[int, int]) -> RgbImage:
    """Return an empty room as a camera of this size sees it; beyond 640 pixels it is enlarged."""
    drawn = _SOURCE[0], round(_SOURCE[0] * size[1] / size[0])
    camera = camera_from_field_of_view(*drawn, _FOV_DEG)
    scene = SyntheticScene(Body(load_builtin_body()), camera, people=0, seed=_FIRST_SEED)
    rgb = scene.frame(0).frame.rgb
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def fill_room(
    room: RgbImage, people: Sequence[CutOut], height: int, seed: int
) -> tuple[RgbImage, Boxes]:
    """Return a room with people of a height, one in each quarter of its width, and their boxes."""
    rng = np.random.default_rng(seed)
    image = room.copy()
    lane = room.shape[1] // len(people)
    boxes = []
    for row, person in enumerate(people):
        scaled = person.scale_to(height)
        space = lane - scaled.rgb.shape[1], room.shape[0] - height
        left, top = (int(rng.integers(0, max(each, 1))) for each in space)
        boxes.append(scaled.paste(image, row * lane + left, top))
    return image, np.array(boxes)


def measure(
    detector: Detector, size: tuple[int, int], people: Sequence[CutOut], heights: Sequence[int]
) -> tuple[dict[int, dict[float, float]], float]:
    """Return the recall in images of a size, and its cost.

    Returns:
        The shares of people by height and score, and the least processor time of an image, ms.
    """
    room = draw_room(size)
    groups = [
        people[row : row + _PEOPLE_AN_IMAGE] for row in range(0, len(people), _PEOPLE_AN_IMAGE)
    ]
    shares, times_s = {}, []
    for height in heights:
        hits = dict.fromkeys(SCORES, 0)
        for seed, group in enumerate(groups):
            image, boxes = fill_room(room, group, height, seed)
            start_s = time.process_time()
            found = detector.detect(image)
            times_s.append(time.process_time() - start_s)
            for score in SCORES:
                hits[score] += len(match(boxes, found.boxes_xyxy[found.scores >= score]))
        shares[height] = {score: count / len(people) for score, count in hits.items()}
    return shares, 1e3 * min(times_s)


def main() -> int:
    """Measure, print a table, and optionally write JSON; return 1 after an error."""
    parser = argparse.ArgumentParser(description="Recall of small people by height.")
    parser.add_argument("--detector", choices=DETECTORS, default="person")
    parser.add_argument("--detector-weights", default="", help="weights file of the detector")
    parser.add_argument("--second-pass", type=int, default=PipelineSettings().second_pass)
    parser.add_argument("--heights", type=int, nargs="+", default=HEIGHTS_PX)
    parser.add_argument("--people", type=int, default=24, help="people of each height")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    settings = PipelineSettings(
        detector=chosen.detector,
        detector_weights=chosen.detector_weights,
        second_pass=chosen.second_pass,
    )
    try:
        detector = detector_factory(settings, choose_device(settings.device))()
        people = cut_people_out(chosen.people)
        results = {size: measure(detector, size, people, chosen.heights) for size in SIZES}
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    header = ["image", "score", *(f"{height} px" for height in chosen.heights), "CPU ms"]
    names = {size: f"{size[0]}x{size[1]}" for size in SIZES}
    rows = [
        [
            names[size],
            f"{score:g}",
            *(f"{each[score]:.0%}" for each in by.values()),
            f"{cpu_ms:.0f}",
        ]
        for size, (by, cpu_ms) in results.items()
        for score in SCORES
    ]
    record = {
        names[size]: {"shares": by, "cpu_ms": cpu_ms} for size, (by, cpu_ms) in results.items()
    }
    title = f"{chosen.people} drawn people of each height, found by {chosen.detector}"
    write_results(record, f"{title}\n\n{format_table(header, rows)}", chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
