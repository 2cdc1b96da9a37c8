"""Cost of each option for people in the fixed frame: `python -m benchmarks.switches`.

The steps after the network, for drawn people in one image whose estimates are reused, at times
0.1 s apart: with everything switched off, with each option on, and switched off once more, which
shows how far two equal measurements differ. CPU time, the median of several rounds in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import describe_machine, format_table, write_results
from smpler_model.assembly import build_pipeline
from smpler_model.camera_pipeline import CameraPipeline, PipelineConfig, Tracked
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.cameras.crops import Crops
from smpler_model.detectors.detector import GivenBoxes
from smpler_model.frames import CameraPose, Frame, TrackState
from smpler_model.inference.cuda_graphs import PixelArray
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.people.tracker import IdSource, Tracks
from smpler_model.settings.pipeline import PipelineSettings
from smpler_model.shared_image import SharedImage
from synthetic.scene import SyntheticScene

STEP_NS = 100_000_000
_MARGIN = 1.2


@dataclass(frozen=True)
class Option:
    """What is switched on: fields of the pipeline's configuration, and of the frames."""

    config: dict[str, Any] = field(default_factory=dict)
    has_pose: bool = False
    has_depth: bool = False


OPTIONS = {
    "off": Option(),
    "use_depth": Option(has_depth=True),
    "fixed_frame": Option(has_pose=True),
    "fixed_frame, use_floor": Option({"use_floor": True}, has_pose=True),
    "fixed_frame, floor_from_feet": Option({"floor_from_feet": True}, has_pose=True),
    "floor_from_feet": Option({"floor_from_feet": True}),
    "remember": Option({"remember_s": 60.0}),
    "off, again": Option(),
}


@dataclass(frozen=True)
class Case:
    """People in one image, whose crops and estimates are there."""

    frame: Frame
    pose: CameraPose
    tracked: Tracked
    crops: Crops[PixelArray]
    estimates: Estimates


def draw_case(estimator: Estimator, people: int, seed: int) -> Case:
    """Draw people, and run the network once.

    Raises:
        RuntimeError: no people are in view.
    """
    camera = replace(camera_from_field_of_view(640, 480, 70.0), calibrated=True)
    scene = SyntheticScene(estimator.model.body, camera, people=people, seed=seed, duration_s=4.0)
    shot = scene.frame(10**9, depth=True)
    boxes = shot.truth.visible_boxes_xyxy
    n = len(boxes)
    if not n:
        raise RuntimeError(
            f"people must be in view, got none with seed {seed}; try another --seed"
        )
    states = np.full(n, TrackState.CONFIRMED, np.uint8)
    tracks = Tracks(np.arange(n), np.asarray(boxes, np.float64), np.ones(n), states)
    crops = SharedImage(shot.frame, None).cut(tracks.boxes_xyxy, estimator.side, _MARGIN)
    pose = CameraPose("map", shot.truth.world_from_camera)
    estimates = estimator.estimate(crops.pixels)
    return Case(shot.frame, pose, Tracked(tracks, (), tracks.ids), crops, estimates)


def measure(estimator: Estimator, case: Case, option: Option, images: int) -> float:
    """Return the CPU time of the steps after the network for one image, milliseconds."""
    config = replace(PipelineConfig(), **option.config)
    camera = CameraPipeline(GivenBoxes(), IdSource(), estimator, config)
    frame = replace(
        case.frame,
        pose=case.pose if option.has_pose else None,
        depth_m=case.frame.depth_m if option.has_depth else None,
    )
    find = partial(
        camera.find, tracked=case.tracked, crops=case.crops, estimates=case.estimates, timings={}
    )
    frames = [replace(frame, stamp_ns=index * STEP_NS) for index in range(images + 2)]
    for first in frames[:2]:  # what is built once
        find(first)
    start = time.process_time()
    for each in frames[2:]:
        find(each)
    return 1e3 * (time.process_time() - start) / images


def compare(estimator: Estimator, case: Case, images: int, rounds: int) -> dict[str, float]:
    """Return the median cost of each option, milliseconds an image."""
    costs: dict[str, list[float]] = {name: [] for name in OPTIONS}
    for _ in range(rounds):
        for name, option in OPTIONS.items():
            costs[name].append(measure(estimator, case, option, images))
    return {name: float(np.median(values)) for name, values in costs.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=4, help="drawn people")
    parser.add_argument("--seed", type=int, default=3, help="seed of the room and the people")
    parser.add_argument("--images", type=int, default=40, help="in each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each option")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    pipeline = build_pipeline(PipelineSettings(threads=1), GivenBoxes)
    case = draw_case(pipeline.estimator, chosen.people, chosen.seed)
    costs = compare(pipeline.estimator, case, chosen.images, chosen.rounds)
    people = len(case.tracked.people)
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "people": people,
        "cost_ms": costs,
    }
    rows = [(name, people, cost, cost - costs["off"]) for name, cost in costs.items()]
    head = ("switched on", "people", "ms an image after the network, CPU", "more than off")
    write_results(results, format_table(head, rows), chosen.json)


if __name__ == "__main__":
    main()
