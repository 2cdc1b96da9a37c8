"""Times of all steps of a frame, from pixels to posed people: `python -m benchmarks.pipeline`.

The frames are from a synthetic camera, with true boxes. The detectors are timed beside each other,
on the same frames.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.detectors import CHOICES, measure_detectors, tabulate
from benchmarks.networks import build_seeded_model
from benchmarks.timing import Times, describe_machine, format_table, write_results
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.inference.backends import BACKENDS
from smpler_model.inference.estimator import Estimator
from smpler_model.network.config import MODELS
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from synthetic.scene import SyntheticScene
from synthetic.truth import SceneFrame

_SIZE = (640, 480)
_PERIOD_NS = 33_333_333
_SETTLING_FRAMES = 5
_FOV_DEG = 60.0
WHOLE = "whole frame"


def render_frames(people: int, count: int) -> list[SceneFrame]:
    """Return frames of a scene with this number of people, not all always in view."""
    camera = camera_from_field_of_view(*_SIZE, _FOV_DEG)
    scene = SyntheticScene(Body(load_builtin_body()), camera, people=people)
    return [scene.frame(index * _PERIOD_NS) for index in range(count)]


def measure_steps(
    estimator: Estimator, frames: list[SceneFrame], *, mesh: bool
) -> tuple[dict[str, Times], float]:
    """Return each step's times, and the mean number of people per frame."""
    config = PipelineConfig(tracker=TrackerConfig(confirm_frames=1))
    pipeline = Pipeline(estimator, GivenBoxes, config)
    taken: dict[str, list[float]] = {}
    seen = []
    for scene_frame in frames:
        detector = pipeline.camera("").detector
        assert isinstance(detector, GivenBoxes)
        detector.give(detections_from(scene_frame.truth.boxes_xyxy))
        start = time.perf_counter()
        result = pipeline.process(scene_frame.frame, mesh=mesh)
        whole = 1e3 * (time.perf_counter() - start)
        for step, milliseconds in (*result.timings_ms.items(), (WHOLE, whole)):
            taken.setdefault(step, []).append(milliseconds)
        seen.append(len(result.people))
    steps = {step: _summarise(values[_SETTLING_FRAMES:]) for step, values in taken.items()}
    return steps, float(np.mean(seen))


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=tuple(MODELS), default="smpler_nano")
    parser.add_argument("--people", type=int, default=3, help="number of people in the room")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mesh", action="store_true", help="also pose 6890 vertices per person")
    parser.add_argument(
        "--detectors",
        nargs="*",
        choices=CHOICES,
        default=["person", "motion", "full_image", "none"],
    )
    parser.add_argument("--detector-weights", default="", help="file of torchvision or onnx")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    model = build_seeded_model(chosen.model)
    frames = render_frames(chosen.people, chosen.frames + _SETTLING_FRAMES)
    torch.set_num_threads(chosen.threads)
    estimator = Estimator(model, chosen.device, backend=chosen.backend)
    estimator.warm_up(chosen.people)
    sys.stderr.write("prepared; measuring\n")
    steps, people = measure_steps(estimator, frames, mesh=chosen.mesh)
    device = torch.device(chosen.device)
    detectors = measure_detectors(
        chosen.detectors, frames, device, threads=chosen.threads, weights=chosen.detector_weights
    )
    results: dict[str, Any] = {
        "machine": describe_machine(device),
        "model": chosen.model,
        "backend": estimator.backend,
        "people": people,
        "steps": {step: asdict(times) for step, times in steps.items()},
        "detectors": {name: asdict(times) for name, times in detectors.items()},
    }
    rows = [(step, times.median_ms, times.p99_ms) for step, times in steps.items()]
    table = format_table(("step", "median ms", "p99 ms"), rows)
    write_results(results, f"{table}\n\n{tabulate(results['detectors'])}", chosen.json)


def _summarise(values: list[float]) -> Times:
    p99 = float(np.percentile(values, 99))
    return Times(float(np.median(values)), p99, None, len(values), None)


if __name__ == "__main__":
    main()
