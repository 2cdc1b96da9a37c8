"""Identity switches when people cross: `python -m benchmarks.tracking`.

Two people in a synthetic room walk towards each other, pass at different distances from a still
camera, and come back. Boxes are, from the easiest on:

- people in view: true boxes of people of whose box at least 40 % is visible, like those of a very
  good detector;
- every pixel: true boxes of everything visible, down to slivers beside the person in front;
- faulty: the first with missed people, jittering edges, uncertain and false boxes;
- motion, person: detections of the detectors of these names.

An id switch: a true person is tracked under another id than the last time, however long ago that
was. A person who leaves through the image's edge and comes back counts as new; one who was hidden
does not. Tracks are matched with people by the boxes of visible pixels (intersection over union of
at least 0.5, one to one, the largest sum); a pair of the previous image remains while its boxes
overlap as much.

Source: Milan et al., "MOT16", 2016 (IDSW); people who come back are new in Dendorfer et al.,
"MOT20", 2020, section 4.1. TrackEval counts in the same way.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator

from benchmarks.timing import format_table, write_results
from smpler_model.array_types import Floats
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.detectors.box_overlap import box_overlaps
from smpler_model.detectors.detector import Detections, Detector, detections_from
from smpler_model.detectors.motion import MotionDetector
from smpler_model.detectors.person_detector import PersonDetector
from smpler_model.people.tracker import IdSource, Tracker, TrackerConfig
from smpler_model.settings.pipeline import PipelineSettings
from synthetic.people.motions import Leg, make_motion
from synthetic.scene import SyntheticScene
from synthetic.truth import SceneFrame

CAMERA = Camera(640, 480, 450, 450, 319.5, 239.5)
RATE_HZ = 15.0
LEAST_IOU = 0.5
LEAST_IN_VIEW = 0.4
KEEP_SCORE = PipelineSettings().keep_score
_EMPTY_S = 2.0  # before anybody enters, for `motion` to learn the room
_WINGS_M = 4.2
_LANES_M = (0.0, 1.0)  # behind the room's middle, so that one hides the other

FindBoxes = Callable[[SceneFrame], Detections]


@dataclass
class TrackingCounts:
    """Counts over sequences.

    Attributes:
        people: number of true people in all frames.
        missed: number of people without a track.
        switches: number of changes of a person's id.
        false: number of false tracks, which match no person.
        returns: number of times that a person came back through the image's edge.
        last_ids: the id under which each person was tracked last.
    """

    people: int = 0
    missed: int = 0
    switches: int = 0
    false: int = 0
    returns: int = 0
    last_ids: dict[int, int] = field(default_factory=dict)
    _pairs: dict[int, int] = field(default_factory=dict)
    _edge_bound: set[int] = field(default_factory=set)
    _gone: set[int] = field(default_factory=set)

    def begin(self) -> None:
        """Begin another sequence, in which all people are new."""
        self.last_ids.clear()
        self._pairs.clear()
        self._edge_bound.clear()
        self._gone.clear()

    def add(self, true_ids: list[int], true_boxes: Floats, ids: list[int], boxes: Floats) -> None:
        """Count a frame: ids and boxes (n, 4) of people and tracks."""
        self._forget_who_left(true_ids, true_boxes)
        pairs = self._pair(true_ids, true_boxes, ids, boxes)
        for person, track in pairs:
            name, track_id = true_ids[person], ids[track]
            self.switches += self.last_ids.get(name, track_id) != track_id
            self.last_ids[name] = track_id
        self._pairs = {true_ids[person]: ids[track] for person, track in pairs}
        self.people += len(true_ids)
        self.missed += len(true_ids) - len(pairs)
        self.false += len(ids) - len(pairs)

    def _pair(
        self, true_ids: list[int], true_boxes: Floats, ids: list[int], boxes: Floats
    ) -> list[tuple[int, int]]:
        overlaps = box_overlaps(true_boxes, boxes)
        kept = [
            (person, track)
            for person, name in enumerate(true_ids)
            for track, track_id in enumerate(ids)
            if self._pairs.get(name) == track_id and overlaps[person, track] >= LEAST_IOU
        ]
        rows, columns = (
            np.array([each for each in range(n) if each not in taken], int)
            for n, taken in (
                (len(true_ids), {person for person, _ in kept}),
                (len(ids), {track for _, track in kept}),
            )
        )
        found = match(true_boxes[rows], boxes[columns])
        return [*kept, *((int(rows[i]), int(columns[j])) for i, j in found)]

    def _forget_who_left(self, true_ids: list[int], true_boxes: Floats) -> None:
        left = self._edge_bound - set(true_ids)
        self._gone |= left
        for name in left:
            self.last_ids.pop(name, None)
        self.returns += len(self._gone & set(true_ids))
        self._gone -= set(true_ids)
        at_edge = (true_boxes[:, 0] <= 0) | (true_boxes[:, 2] >= CAMERA.width - 1)
        self._edge_bound = {name for name, is_at in zip(true_ids, at_edge, strict=True) if is_at}


def match(true_boxes: Floats, boxes: Floats) -> list[tuple[int, int]]:
    """Return rows of matched boxes (n, 4) and (m, 4)."""
    overlaps = box_overlaps(true_boxes, boxes)
    rows = zip(*linear_sum_assignment(-overlaps), strict=True)
    return [(int(i), int(j)) for i, j in rows if overlaps[i, j] >= LEAST_IOU]


def make_crossing(body: Body, seed: int) -> SyntheticScene:
    """Return a scene in which two people cross twice."""
    scene = SyntheticScene(body, CAMERA, people=2, seed=seed, duration_s=60.0)
    motions = []
    for row, side in enumerate((1.0, -1.0)):
        generator = Generator().manual_seed(10 * seed + row)
        betas = torch.randn(10, generator=generator).clamp(-2, 2)
        start, goal = (_LANES_M[row], side * _WINGS_M), (_LANES_M[row], -side * _WINGS_M)
        legs = [
            Leg("stand", _EMPTY_S),
            Leg("walk", target_m=goal),
            Leg("turn", 1.2, heading=side * math.pi / 2),
            Leg("walk", target_m=start),
        ]
        motions.append(make_motion(body, betas, legs, start, -side * math.pi / 2, generator))
    scene.motions = motions
    return scene


class FaultyDetector:
    """Returns true boxes with the faults of a detector."""

    def __init__(self, seed: int, *, miss: float = 0.15, jitter: float = 0.04) -> None:
        """Store the probability of a miss, and the deviation of edges over the box's height."""
        self._rng = np.random.default_rng(seed)
        self._miss, self._jitter = miss, jitter

    def __call__(self, shown: SceneFrame) -> Detections:
        """Return boxes with faults."""
        rng, boxes = self._rng, find_people_in_view(shown).boxes_xyxy
        boxes = boxes[rng.random(len(boxes)) > self._miss]
        heights = boxes[:, 3:] - boxes[:, 1:2]
        boxes = boxes + heights * rng.normal(0, self._jitter, boxes.shape)
        scores = rng.uniform(0.3, 1.0, len(boxes))
        if rng.random() < 0.1:  # a false box
            corner = rng.uniform(0, (CAMERA.width - 60, CAMERA.height - 150))
            boxes = np.vstack([boxes, np.concatenate([corner, corner + np.array([60, 150])])])
            scores = np.append(scores, 0.55)
        return detections_from(boxes, scores)


def find_every_pixel(shown: SceneFrame) -> Detections:
    """Return the boxes of people's visible pixels."""
    return detections_from(shown.truth.visible_boxes_xyxy)


def find_people_in_view(shown: SceneFrame) -> Detections:
    """Return the same without people who are mostly occluded or outside the image."""
    truth = shown.truth
    seen, whole = (
        (boxes[:, 2:] - boxes[:, :2]).prod(1)
        for boxes in (truth.visible_boxes_xyxy, truth.boxes_xyxy)
    )
    return detections_from(truth.visible_boxes_xyxy[seen >= LEAST_IN_VIEW * whole])


def find_by(detector: Detector, shown: SceneFrame) -> Detections:
    """Return the detections of a detector."""
    return detector.detect(shown.frame.rgb)


def measure(sequences: int, config: TrackerConfig | None = None) -> dict[str, TrackingCounts]:
    """Count over sequences, for each source of boxes."""
    body, person = Body(load_builtin_body()), PersonDetector(score_threshold=KEEP_SCORE)
    tallies = {
        name: TrackingCounts()
        for name in ("people in view", "every pixel", "faulty", "motion", "person")
    }
    for seed in range(sequences):
        scene = make_crossing(body, seed)
        motion = MotionDetector()
        finders: dict[str, FindBoxes] = {
            "people in view": find_people_in_view,
            "every pixel": find_every_pixel,
            "faulty": FaultyDetector(seed),
            "motion": partial(find_by, motion),
            "person": partial(find_by, person),
        }
        trackers = {name: Tracker(IdSource(), config) for name in finders}
        for tally in tallies.values():
            tally.begin()
        duration_s = max(motion.duration_s for motion in scene.motions)
        for index in range(int(duration_s * RATE_HZ)):
            shown = scene.frame(round(index * 1e9 / RATE_HZ))
            truth = shown.truth
            for name, find in finders.items():
                tracks = trackers[name].update(shown.frame.stamp_ns, find(shown))
                seen = tracks.select(tracks.scores > 0)
                tallies[name].add(
                    truth.ids.tolist(),
                    truth.visible_boxes_xyxy,
                    seen.ids.tolist(),
                    seen.boxes_xyxy,
                )
    return tallies


def tabulate(tallies: dict[str, TrackingCounts], sequences: int) -> str:
    """Return a table with sources of boxes as rows."""
    rows = [
        [
            name,
            tally.switches,
            tally.returns,
            f"{tally.missed / max(tally.people, 1):.1%}",
            tally.false,
        ]
        for name, tally in tallies.items()
    ]
    title = f"{sequences} sequences of two people who cross twice, {RATE_HZ:g} Hz"
    header = ["boxes", "id switches", "came back", "people without a track", "false tracks"]
    return f"{title}\n\n{format_table(header, rows)}"


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description="Identity switches when people cross.")
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    tallies = measure(chosen.sequences)
    record = {
        name: {
            **{"people": t.people, "missed": t.missed, "false": t.false},
            **{"switches": t.switches, "returns": t.returns},
        }
        for name, t in tallies.items()
    }
    write_results(record, tabulate(tallies, chosen.sequences), chosen.json)


if __name__ == "__main__":
    main()
