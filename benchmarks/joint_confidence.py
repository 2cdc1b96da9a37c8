"""Errors of joints by their confidence: `python -m benchmarks.joint_confidence`.

People of synthetic scenes walk, sit, wave and pass in front of each other, before a camera that
shows them whole and before one so close that it cuts them off. The model gets the boxes of the
visible pixels and runs in the pipeline. An error is a joint's distance from the truth when both
pelvises coincide, millimetres; the pelvis itself does not count. The table has the mean error of
the joints in each range of confidence, then of those that a single cause concerns: outside the
image, occluded by the same body or by others, moved by the network's last refinement (so far that
this alone would make the confidence less than 0.5).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.timing import format_table, write_results
from smpler_model.array_types import Floats
from smpler_model.assembly import build_pipeline
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.camera import Camera
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.frames import People
from smpler_model.inference.estimator import Estimator
from smpler_model.people.confidence import (
    are_inside,
    find_hidden,
    joint_confidences,
)
from smpler_model.people.metrics import MM_FROM_M
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from smpler_model.settings.pipeline import PipelineSettings
from synthetic.scene import SyntheticScene
from synthetic.truth import GroundTruth, SceneFrame

CAMERAS = {
    "whole": Camera(640, 480, 480, 480, 319.5, 239.5),
    "cut off": Camera(640, 480, 1000, 1000, 319.5, 239.5),
}
LIMIT = 0.5
"""A confidence below it is low."""

_RANGES = ((0.0, 0.25), (0.25, LIMIT), (LIMIT, 0.75), (0.75, 1.0))
_PEOPLE, _PERIOD_S = 4, 30.0
_AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1), smoothing=None)
_TIMED_RUNS = 200


@dataclass(frozen=True)
class Joints:
    """j joints of all people and images.

    Attributes:
        confidences: (j,).
        errors_mm: (j,) with the pelvises aligned.
        outside: (j,) bool, projected outside the image.
        by_body: (j,) bool, occluded by the same body rather than in view.
        by_others: (j,) bool, the same for other people.
        moved: (j,) bool, confidences below 0.5 from the last refinement alone.
    """

    confidences: Floats
    errors_mm: Floats
    outside: np.ndarray
    by_body: np.ndarray
    by_others: np.ndarray
    moved: np.ndarray

    @property
    def ratio(self) -> float:
        """Mean error of the joints with low confidence over that of the others."""
        low = self.confidences < LIMIT
        return float(self.errors_mm[low].mean() / self.errors_mm[~low].mean())

    def causes(self) -> dict[str, np.ndarray]:
        """Return the joints (j,) bool that each cause concerns, and those that none does."""
        found = {
            "outside the image": self.outside,
            "occluded by the same body": self.by_body,
            "occluded by others": self.by_others,
            "moved by the last refinement": self.moved,
        }
        return found | {"none of these": ~np.any(list(found.values()), axis=0)}


def draw_frames(
    body: Body, seeds: range, frames: int, cameras: Iterable[Camera] = tuple(CAMERAS.values())
) -> Iterator[SceneFrame]:
    """Yield frames of scenes, of each from all cameras."""
    for seed in seeds:
        for camera in cameras:
            scene = SyntheticScene(
                body, camera, people=_PEOPLE, seed=seed, duration_s=_PERIOD_S, background="room"
            )
            for share in (np.arange(frames) + 0.5) / frames:
                frame = scene.frame(round(share * _PERIOD_S * 1e9))
                if len(frame.truth):
                    yield frame


def look(estimator: Estimator, shown: SceneFrame) -> tuple[People, GroundTruth]:
    """Return the people of a frame, each with the truth in the same row."""
    detector = GivenBoxes()
    detector.give(detections_from(shown.truth.visible_boxes_xyxy))
    people = Pipeline(estimator, lambda: detector, _AT_ONCE).process(shown.frame).people
    if len(people) != len(shown.truth):
        raise ValueError(
            f"every box must give a person, got {len(people)} of {len(shown.truth)}; give a "
            "trained model with --model"
        )
    return people, shown.truth


def measure(estimator: Estimator, seeds: range, frames: int) -> Joints:
    """Return all joints but the pelvises."""
    parts = []
    for shown in draw_frames(Body(load_builtin_body()), seeds, frames):
        people, truth = look(estimator, shown)
        camera = shown.frame.camera
        if people.joint_confidences is None or camera is None:
            raise ValueError(
                "results must have joint confidences and a camera, got none; report this as a bug"
            )
        apart = (people.joints_m - people.joints_m[:, :1]) - (
            truth.joints_m - truth.joints_m[:, :1]
        )
        hidden = find_hidden(people.joints_m)
        unmoved = joint_confidences(
            people.joints_m, people.keypoints_px, np.zeros_like(apart[..., 0]), camera
        )
        columns = (
            people.joint_confidences,
            MM_FROM_M * np.linalg.norm(apart, axis=-1),
            ~are_inside(people.keypoints_px, camera),
            hidden.by_body > 0.5,
            hidden.by_others > 0.5,
            people.joint_confidences < 0.5 * unmoved,
        )
        parts.append([values[:, 1:].reshape(-1) for values in columns])
    return Joints(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def measure_cost(people: int) -> float:
    """Return the time of computing confidences, CPU milliseconds per person, people in a row."""
    body, camera = Body(load_builtin_body()), CAMERAS["whole"]
    joints = (body.J_regressor @ body.v_template).double().numpy() * (1, -1, -1)
    places = np.column_stack(
        (np.linspace(-2, 2, people), np.full(people, 0.3), np.linspace(3, 6, people))
    )
    joints_m = joints + places[:, None]
    keypoints_px, changes = camera.project(joints_m), np.full(joints_m.shape[:2], 1.0)
    start = time.process_time()
    for _ in range(_TIMED_RUNS):
        joint_confidences(joints_m, keypoints_px, changes, camera)
    return 1e3 * (time.process_time() - start) / _TIMED_RUNS / people


def tabulate(joints: Joints) -> str:
    """Return the mean errors by confidence and by cause."""
    everything = len(joints.errors_mm)
    groups = {
        f"confidence {low:g} to {high:g}": (joints.confidences >= low)
        & ((joints.confidences < high) | (high == 1))
        for low, high in _RANGES
    }
    rows = [
        [name, f"{rows.sum() / everything:.1%}", f"{joints.errors_mm[rows].mean():.0f}"]
        for name, rows in (groups | joints.causes()).items()
        if rows.any()
    ]
    table = format_table(["joints", "of all", "mean error, mm"], rows)
    return f"{table}\n\nbelow {LIMIT:g} over at least {LIMIT:g}: {joints.ratio:.2f}"


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description="Errors of joints by their confidence.")
    parser.add_argument("--model", default="smpler_nano", help="shipped model, or checkpoint")
    parser.add_argument("--scenes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first scene")
    parser.add_argument("--frames", type=int, default=20, help="images per scene and camera")
    parser.add_argument("--json", type=Path, help="file for the figures")
    chosen = parser.parse_args()
    estimator = build_pipeline(PipelineSettings(model=chosen.model), GivenBoxes).estimator
    seeds = range(chosen.seed, chosen.seed + chosen.scenes)
    joints = measure(estimator, seeds, chosen.frames)
    costs = {people: measure_cost(people) for people in (1, 4, 16)}
    lines = ", ".join(f"{cost:.3f} for {people}" for people, cost in costs.items())
    low = float((joints.confidences < LIMIT).mean())
    results = {
        "ratio": joints.ratio,
        "low": low,
        "joints": len(joints.errors_mm),
        "cost_ms": costs,
    }
    write_results(results, f"{tabulate(joints)}\n\nCPU ms a person: {lines}", chosen.json)


if __name__ == "__main__":
    main()
