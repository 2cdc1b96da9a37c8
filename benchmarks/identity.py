"""Ids of people who return after a gap: `python -m benchmarks.identity`.

In each drawn room four people appear, two at a time, and leave. Later four people appear at other
places, turned elsewhere, in another order: some of the first, and strangers. True boxes go to the
tracker, so that only appearance decides. Printed are the returns that got the right id (joined),
those that got a new one (missed), and the visits that got another person's id (wrong), which must
be rarer than the missed ones.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Generator

from benchmarks.timing import describe_machine, format_table, write_results
from smpler_model.array_types import Floats
from smpler_model.assembly import build_pipeline
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.pipeline import Pipeline
from smpler_model.settings.pipeline import PipelineSettings
from synthetic.people.motions import Leg, Motion, make_motion
from synthetic.scene import SyntheticScene

PEOPLE, STRANGERS = 4, 0.25
"""People of the first round, and the share of the second round who were not in it."""

_STAY_S, _BETWEEN_S, _GAP_S = 2.4, 2.0, 20.0
_PLACES_M = ((0.2, -0.9), (0.2, 0.9))
_FAR_M = (500.0, 500.0, 0.0)
_FOV_DEG, _WIDTH, _HEIGHT = 70.0, 640, 480


@dataclass(frozen=True)
class Visit(Motion):
    """A motion that is in the room for a while, and elsewhere before and after."""

    begin_s: float = 0.0

    def at(self, time_s: float) -> tuple[Floats, Floats]:
        """Return the pose at a time; see `Motion.at`."""
        rotations, place = super().at(time_s - self.begin_s)
        is_there = self.begin_s <= time_s < self.begin_s + _STAY_S
        return rotations, place if is_there else place + _FAR_M


class VisitScene(SyntheticScene):
    """Two rounds of visits.

    Attributes:
        owners: whose the visits are.
        begins_s: when each pair of visits begins.
    """

    def __init__(self, body: Body, seed: int) -> None:
        """Draw the room, the people and their visits."""
        camera = camera_from_field_of_view(_WIDTH, _HEIGHT, _FOV_DEG)
        super().__init__(
            body, replace(camera, calibrated=True), people=0, seed=seed, duration_s=1000.0
        )
        rng, generator = np.random.default_rng(seed), Generator().manual_seed(seed)
        are_strangers = rng.random(PEOPLE) < STRANGERS
        again = np.where(are_strangers, PEOPLE + np.arange(PEOPLE), np.arange(PEOPLE))
        self.owners: list[int] = [*range(PEOPLE), *rng.permutation(again).tolist()]
        betas = [torch.randn(10, generator=generator).clamp(-2, 2) for _ in range(2 * PEOPLE)]
        pair_s = _STAY_S + _BETWEEN_S
        firsts = [0.0, pair_s]
        self.begins_s = [*firsts, *(pair_s * 2 + _GAP_S + first for first in firsts)]
        self.motions = [
            self._visit(betas[owner], visit, rng, generator)
            for visit, owner in enumerate(self.owners)
        ]
        self._bake_looks(2 * PEOPLE, Generator().manual_seed(seed + 1))
        self._colours = self._colours[self.owners]
        self._thickness = self._thickness[self.owners]

    def _visit(
        self, betas: torch.Tensor, visit: int, rng: np.random.Generator, generator: Generator
    ) -> Visit:
        heading = math.pi + rng.uniform(-1.2, 1.2)  # more or less towards the camera
        stay = [Leg("stand", _STAY_S, heading=heading)]
        place = _PLACES_M[visit % 2]
        motion = make_motion(self.body, betas, stay, place, heading, generator)
        return Visit(**vars(motion), begin_s=self.begins_s[visit // 2])


@dataclass
class ReturnCounts:
    """Counts of returning people and of strangers, by the ids they got."""

    returns: int = 0
    joined: int = 0
    missed: int = 0
    wrong: int = 0
    strangers: int = 0


def count_ids(pipeline: Pipeline, scene: VisitScene, rate_hz: float, name: str) -> ReturnCounts:
    """Show a scene to a camera of its own and count its ids.

    The id of a visit is that of its last image.
    """
    ids: dict[int, int] = {}
    steps = np.arange(0, _STAY_S, 1 / rate_hz)
    for time_s in np.add.outer(scene.begins_s, steps).ravel().tolist():
        shot = scene.frame(round(time_s * 1e9))
        detector = pipeline.camera(name).detector
        assert isinstance(detector, GivenBoxes)
        detector.give(detections_from(shot.truth.visible_boxes_xyxy))
        people = pipeline.process(shot.frame, camera=name).people
        for id_, box in zip(people.ids.tolist(), people.boxes_xyxy, strict=True):
            apart = np.abs(shot.truth.visible_boxes_xyxy - box).sum(1)
            ids[int(shot.truth.ids[apart.argmin()]) - 1] = id_
    counts = ReturnCounts()
    first = {scene.owners[visit]: ids[visit] for visit in range(PEOPLE) if visit in ids}
    for visit in range(PEOPLE, 2 * PEOPLE):
        owner, id_ = scene.owners[visit], ids.get(visit)
        if id_ is None:
            continue
        counts.returns += owner in first
        counts.strangers += owner not in first
        is_wrong = id_ in first.values() and first.get(owner) != id_
        counts.wrong += is_wrong
        counts.joined += owner in first and first[owner] == id_
        counts.missed += owner in first and first[owner] != id_ and not is_wrong
    return counts


def run(pipeline: Pipeline, body: Body, seeds: Sequence[int], rate_hz: float) -> ReturnCounts:
    """Return the counts of several rooms together."""
    total = ReturnCounts()
    for seed in seeds:
        counts = count_ids(pipeline, VisitScene(body, seed), rate_hz, f"room {seed}")
        total = ReturnCounts(
            *(a + b for a, b in zip(vars(total).values(), vars(counts).values(), strict=True))
        )
    return total


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=10, help="number of drawn rooms")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first room")
    parser.add_argument("--rate", type=float, default=5.0, help="rate of the images, Hz")
    parser.add_argument("--remember", type=float, default=60.0, help="parameter remember, s")
    parser.add_argument("--model", default="smpler_nano", help="network")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    settings = PipelineSettings(model=chosen.model, remember=chosen.remember, threads=1)
    pipeline = build_pipeline(settings, GivenBoxes)
    body = pipeline.estimator.model.body
    seeds = range(chosen.seed, chosen.seed + chosen.rooms)
    counts = run(pipeline, body, seeds, chosen.rate)
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "rooms": chosen.rooms,
        "remember_s": chosen.remember,
        "counts": asdict(counts),
    }
    table = format_table(tuple(asdict(counts)), [tuple(asdict(counts).values())])
    write_results(results, table, chosen.json)


if __name__ == "__main__":
    main()
