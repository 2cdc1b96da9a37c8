"""Errors of placing people in metres: `python -m benchmarks.placement`.

One person of a synthetic scene at a time stands, waves and turns at 2, 4 and 8 m, seen by cameras
with two focal lengths, with an off-centre principal point and with lens distortion. Boxes are
those of the person's visible pixels. Errors are distances of the pelvis joint from the true one,
in the camera's frame, metres. The estimators:

- truth: true rotations, shape and keypoints; the remaining error is that of placing.
- average size: the same, but everybody has the average shape. No single image shows how tall a
  person is; this is the resulting error.
- the shipped network, if its weights are available.

With `+ floor` the camera's pose above the floor is known, and people are placed by their feet.
Without CameraInfo, a field of view of 60 degrees is assumed. The second table is that of
`placement_field`: placing by noisy keypoints, in the whole field of view of every lens model.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator

from benchmarks.oracle import Oracle
from benchmarks.placement_field import DISTANCE_M, NOISE_PX, measure_field, tabulate_field
from benchmarks.timing import format_table, write_results
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.camera import Camera
from smpler_model.checkpoints.shipped import SHIPPED_MODELS, load_shipped_model, shipped_path
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.frames import CameraPose, Frame
from smpler_model.inference.estimator import Estimator
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from synthetic.people.motions import Leg, Motion, make_motion
from synthetic.scene import SyntheticScene
from synthetic.truth import GroundTruth, SceneFrame

SIZE = (640, 640)
DISTANCES_M = (2.0, 4.0, 8.0)
CAMERAS = {
    "f 350": Camera(*SIZE, 350, 350, 319.5, 319.5),
    "f 700": Camera(*SIZE, 700, 700, 319.5, 319.5),
    "f 350, centre aside": Camera(*SIZE, 350, 350, 220, 410),
    "f 350, plumb_bob": Camera(*SIZE, 350, 350, 319.5, 319.5, "plumb_bob", (-0.28, 0.08, 0, 0, 0)),
}
_PEOPLE = 4
_CAMERA_XY = (-3.6, 0.3)  # of a scene's still camera, which looks along x
_FAR_AWAY = (0.0, 60.0)
_AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1), smoothing=None, use_floor=True)


@dataclass(frozen=True)
class Placed:
    """Errors of one estimator at one distance from one camera, metres, (n,) each."""

    camera: str
    distance_m: float
    estimator: str
    errors_m: np.ndarray

    def summary(self) -> tuple[float, float]:
        """Return median and 95th percentile."""
        return float(np.median(self.errors_m)), float(np.percentile(self.errors_m, 95))


def show_people(
    body: Body, camera: Camera, distance_m: float, frames: int
) -> Iterator[SceneFrame]:
    """Yield frames of one person after the other, with depth."""
    scene = SyntheticScene(body, camera, people=_PEOPLE, background="plain", seed=1)
    shown = [_act(body, distance_m, person) for person in range(_PEOPLE)]
    away = make_motion(
        body, torch.zeros(10), [Leg("stand", 0.2)], _FAR_AWAY, 0.0, Generator().manual_seed(0)
    )
    for person, motion in enumerate(shown):
        scene.motions = [motion if row == person else away for row in range(_PEOPLE)]
        for share in (np.arange(frames) + 0.5) / frames:
            frame = scene.frame(round(share * motion.duration_s * 1e9), depth=True)
            if len(frame.truth) == 1:
                yield frame


def _act(body: Body, distance_m: float, person: int) -> Motion:
    generator = Generator().manual_seed(person)
    betas = torch.randn(10, generator=generator).clamp(-2, 2)
    place = (_CAMERA_XY[0] + distance_m, _CAMERA_XY[1] + 0.15 * (person - 1.5))
    legs = [Leg("stand", 1.0), Leg("wave", 2.0), Leg("turn", 1.5, heading=0.5), Leg("reach", 1.5)]
    return make_motion(body, betas, legs, place, math.pi, generator)


class OneFramePipeline:
    """The real pipeline with an estimator, for one frame after the other."""

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator
        self._detector = GivenBoxes()
        self._pipeline = Pipeline(estimator, lambda: self._detector, _AT_ONCE)

    def error_m(self, frame: Frame, camera: Camera, truth: GroundTruth, view: str = "") -> float:
        """Return the distance of the only person's pelvis from the true one, metres.

        Args:
            frame: frame with one person, and the camera as given to the pipeline.
            camera: actual camera of the frame.
            truth: ground truth of the frame.
            view: distinguishes sequences of frames.
        """
        self._detector.give(detections_from(truth.visible_boxes_xyxy))
        if isinstance(self._estimator, Oracle):
            self._estimator.tell(frame.rgb, camera, truth, _AT_ONCE.crop_margin)
        people = self._pipeline.process(frame, camera=view).people
        return float(np.linalg.norm(people.joints_m[0, 0] - truth.joints_m[0, 0]))


def make_estimators(body: Body) -> dict[str, Estimator]:
    """Return the estimators by name; the shipped network only if its weights are available."""
    estimators: dict[str, Estimator] = {
        "truth": Oracle(body),
        "average size": Oracle(body, of_average_size=True),
    }
    for name in SHIPPED_MODELS:
        if shipped_path(name).is_file():
            estimators[name] = Estimator(load_shipped_model(name))
    return estimators


def measure(frames: int, cameras: Mapping[str, Camera] = CAMERAS) -> list[Placed]:
    """Return the errors of all estimators, distances and cameras."""
    body = Body(load_builtin_body())
    placers = {name: OneFramePipeline(each) for name, each in make_estimators(body).items()}
    results = []
    for title, camera in cameras.items():
        for distance_m in DISTANCES_M:
            errors: dict[str, list[float]] = {}
            for shown in show_people(body, camera, distance_m, frames):
                pose = CameraPose("room", shown.truth.world_from_camera)
                variants = {
                    "": replace(shown.frame, depth_m=None),
                    " + floor": replace(shown.frame, depth_m=None, pose=pose),
                    " + depth": shown.frame,
                    ", no CameraInfo": replace(shown.frame, camera=None, depth_m=None),
                }
                for name, placer in placers.items():
                    for variant, frame in variants.items():
                        error_m = placer.error_m(frame, camera, shown.truth, variant)
                        errors.setdefault(name + variant, []).append(error_m)
            results += [
                Placed(title, distance_m, name, np.array(each)) for name, each in errors.items()
            ]
    return results


def tabulate(results: list[Placed]) -> str:
    """Return median / 95th percentile in metres, cameras and distances as rows."""
    names = list(dict.fromkeys(each.estimator for each in results))
    lines: dict[tuple[str, float], dict[str, str]] = {}
    for each in results:
        median, worst = each.summary()
        line = lines.setdefault((each.camera, each.distance_m), {})
        line[each.estimator] = f"{median:.3f} / {worst:.3f}"
    rows = [
        [camera, f"{distance_m:g} m", *(line[name] for name in names)]
        for (camera, distance_m), line in lines.items()
    ]
    return format_table(["camera", "at", *names], rows)


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description="Errors of placed people, metres.")
    parser.add_argument("--frames", type=int, default=8, help="number for each of four people")
    parser.add_argument("--camera", choices=CAMERAS, help="only one of the cameras")
    parser.add_argument(
        "--field", action="store_true", help="only the table of lenses, which takes seconds"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    field = measure_field()
    figures: dict[str, Any] = {"field": field}
    tables = [
        f"{NOISE_PX:g} pixels of noise at {DISTANCE_M:g} m, median / 90th percentile, metres",
        tabulate_field(field),
    ]
    if not chosen.field:
        shown = CAMERAS if chosen.camera is None else {chosen.camera: CAMERAS[chosen.camera]}
        results = measure(chosen.frames, shown)
        figures["pelvis"] = record_of(results)
        tables += ["pelvis error, median / 95th percentile, metres", tabulate(results)]
    write_results(figures, "\n\n".join(tables), chosen.json)


def record_of(results: list[Placed]) -> list[dict[str, Any]]:
    """Return the errors for JSON."""
    return [
        {
            "camera": each.camera,
            "distance_m": each.distance_m,
            "estimator": each.estimator,
            "frames": len(each.errors_m),
            "median_m": each.summary()[0],
            "p95_m": each.summary()[1],
        }
        for each in results
    ]


if __name__ == "__main__":
    main()
