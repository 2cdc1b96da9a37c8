"""Benefit and cost of smoothing: `python -m benchmarks.smoothing`.

People with the built-in body walk, wave, turn, sit and reach in front of a still camera at 30 Hz,
with ground truth. Estimates are the truth with errors that change from frame to frame (see
`NOISE`), or the shipped network's for rendered frames, if its weights are available. The figures,
over all sequences:

- acceleration error: mean difference of the joints' accelerations, mm per frame squared;
- error: mean distance from the truth, mm;
- lag: the delay of the truth that is closest to the result, ms.

`joints` are the 24 relative to the pelvis, `pelvis` is its position in the camera's frame.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Generator

from benchmarks.timing import format_table, write_results
from smpler_model.array_types import Floats
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.camera import Camera
from smpler_model.checkpoints.shipped import SHIPPED_MODELS, load_shipped_model, shipped_path
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.inference.estimator import Estimator
from smpler_model.people.metrics import MM_FROM_M, acceleration_error
from smpler_model.people.smoothing import Bodies, OneEuro, Smoother, SmoothingConfig
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from synthetic.people.motions import RATE_HZ, Leg, Motion, make_motion
from synthetic.scene import SyntheticScene

CAMERA_FROM_WORLD = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
CAMERA_M = np.array([-3.6, 0.0, 1.3])  # in the world, looking along x
CAMERA = Camera(480, 480, 320, 320, 239.5, 239.5)
LAGS_S = np.arange(-0.05, 0.4001, 0.005)
_ID = np.zeros(1, np.int64)
_AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1), smoothing=None)
_BOX_SPREAD_PX = 2.0


@dataclass(frozen=True)
class Noise:
    """Standard deviations of errors that are independent between frames.

    Attributes:
        rotation_rad: rotation about each axis of every joint.
        bearing: noise of x / z and y / z.
        depth: noise of log z.
        betas: noise of each shape coefficient.
    """

    rotation_rad: float
    bearing: float
    depth: float
    betas: float


NOISE = Noise(math.radians(4), 0.004, 0.03, 0.3)
"""Similar to a small network's errors: 4 degrees, 2 px at a focal length of 500, 3 %."""


@dataclass(frozen=True)
class Sequence:
    """One person over time, at `RATE_HZ`; true and estimated."""

    truth: Bodies
    estimates: Bodies


@dataclass(frozen=True)
class Figures:
    """Means over sequences."""

    joints_acceleration_mm: float
    joints_error_mm: float
    joints_lag_ms: float
    pelvis_acceleration_mm: float
    pelvis_error_mm: float
    pelvis_lag_ms: float


def make_person(body: Body, seed: int) -> Motion:
    """Return the motion of one person."""
    generator = Generator().manual_seed(seed)
    betas = torch.randn(10, generator=generator).clamp(-2, 2)
    side = 1.0 if seed % 2 else -1.0
    legs = [
        Leg("walk", target_m=(0.5 * seed - 0.5, 1.2 * side)),
        Leg("turn", 1.2, heading=math.pi),
        *(Leg("wave", 2.0), Leg("sit", 2.0), Leg("stand", 1.0), Leg("reach", 1.5)),
    ]
    return make_motion(body, betas, legs, (0.0, -1.2 * side), 0.0, generator)


def put_before_camera(motion: Motion) -> Bodies:
    """Return a motion in the camera's frame."""
    rotations = motion.rotations.copy()
    rotations[:, 0] = CAMERA_FROM_WORLD @ rotations[:, 0]
    translations = (motion.translations_m - CAMERA_M) @ CAMERA_FROM_WORLD.T
    return Bodies(rotations, np.broadcast_to(motion.betas, (len(rotations), 10)), translations)


def add_noise(truth: Bodies, noise: Noise, seed: int) -> Bodies:
    """Return bodies (t, ...) with errors."""
    rng = np.random.default_rng(seed)
    t = len(truth.betas)
    turns = Rotation.from_rotvec(rng.normal(0, noise.rotation_rad, (t * 24, 3))).as_matrix()
    x, y, z = truth.translations_m.T
    log_z = np.log(z) + rng.normal(0, noise.depth, t)
    plane = np.stack([x / z, y / z], 1) + rng.normal(0, noise.bearing, (t, 2))
    depth = np.exp(log_z)[:, None]
    return Bodies(
        truth.rotations @ turns.reshape(t, 24, 3, 3),
        truth.betas + rng.normal(0, noise.betas, (t, 10)),
        np.concatenate([plane * depth, depth], 1),
    )


def smooth(estimates: Bodies, config: SmoothingConfig | None) -> Bodies:
    """Return bodies (t, ...) smoothed one after the other, in order."""
    if config is None:
        return estimates
    smoother = Smoother(config)
    parts = [
        smoother.smooth(round(index * 1e9 / RATE_HZ), _ID, frame)
        for index, frame in enumerate(_frames(estimates))
    ]
    return Bodies(*(np.concatenate(arrays) for arrays in zip(*map(_arrays, parts), strict=True)))


def _frames(bodies: Bodies) -> Iterator[Bodies]:
    for index in range(len(bodies.betas)):
        yield Bodies(*(array[index : index + 1] for array in _arrays(bodies)))


def _arrays(bodies: Bodies) -> tuple[Floats, Floats, Floats]:
    return bodies.rotations, bodies.betas, bodies.translations_m


@torch.inference_mode()
def pose(body: Body, bodies: Bodies) -> tuple[Floats, Floats]:
    """Return joints relative to the pelvis (t, 24, 3) and pelvises (t, 1, 3), metres."""
    rotations = torch.from_numpy(bodies.rotations).float()
    betas = torch.from_numpy(np.ascontiguousarray(bodies.betas)).float()
    joints = body.joints(rotations, betas).double().numpy()
    pelvis = joints[:, :1]
    return joints - pelvis, pelvis + bodies.translations_m[:, None]


def measure(body: Body, sequences: list[Sequence], config: SmoothingConfig | None) -> Figures:
    """Return the figures of a configuration; None for no smoothing."""
    rows = []
    for each in sequences:
        given = pose(body, smooth(each.estimates, config))
        true = pose(body, each.truth)
        row: list[float] = []
        for points, target in zip(given, true, strict=True):
            jerks = acceleration_error(points, target, centred=False)
            error = MM_FROM_M * np.linalg.norm(points - target, axis=-1).mean()
            row += [float(jerks.mean()), float(error), 1e3 * find_lag_s(points, target)]
        rows.append(row)
    return Figures(*np.mean(rows, 0).tolist())


def find_lag_s(points: Floats, target: Floats) -> float:
    """Return the delay of the target (t, k, 3) that is closest to points, seconds."""
    times = np.arange(len(points)) / RATE_HZ
    flat = target.reshape(len(target), -1)
    inside = (times >= LAGS_S[-1]) & (times <= times[-1] + LAGS_S[0])
    distances = []
    for lag_s in LAGS_S:
        place = (times[inside] - lag_s) * RATE_HZ
        row = np.clip(place.astype(int), 0, len(flat) - 2)
        share = (place - row)[:, None]
        delayed = flat[row] * (1 - share) + flat[row + 1] * share
        apart = delayed - points[inside].reshape(-1, flat.shape[1])
        distances.append(float((apart**2).mean()))
    return float(LAGS_S[int(np.argmin(distances))])


def make_configurations() -> dict[str, SmoothingConfig | None]:
    """Return the configurations to compare: none, the default, and variations of it."""
    usual = SmoothingConfig()
    configurations: dict[str, SmoothingConfig | None] = {"none": None, "default": usual}
    for factor in (0.5, 2.0):
        configurations[f"cutoffs x {factor:g}"] = scale_filters(usual, cutoff=factor)
        configurations[f"gains x {factor:g}"] = scale_filters(usual, gain=factor)
    return configurations


def scale_filters(
    config: SmoothingConfig, *, cutoff: float = 1.0, gain: float = 1.0
) -> SmoothingConfig:
    """Return a configuration with all filters' cutoffs and speed gains multiplied by factors."""
    rotations, bearing, depth = (
        OneEuro(each.cutoff_hz * cutoff, each.speed_gain * gain)
        for each in (config.rotations, config.bearing, config.depth)
    )
    return replace(config, rotations=rotations, bearing=bearing, depth=depth)


def simulate(body: Body, count: int) -> list[Sequence]:
    """Return people with simulated errors."""
    truths = [put_before_camera(make_person(body, seed)) for seed in range(count)]
    return [Sequence(truth, add_noise(truth, NOISE, 99 + i)) for i, truth in enumerate(truths)]


def estimate(body: Body, estimator: Estimator, count: int) -> list[Sequence]:
    """Return people estimated by a network in rendered frames, in a detector's jittering boxes."""
    sequences = []
    for seed in range(count):
        scene = SyntheticScene(body, CAMERA, people=1, seed=seed, background="plain")
        scene.motions = [make_person(body, seed)]
        detector, rng = GivenBoxes(), np.random.default_rng(seed)
        pipeline = Pipeline(estimator, lambda detector=detector: detector, _AT_ONCE)  # type: ignore[misc]
        pairs = []
        for index in range(len(scene.motions[0].rotations)):
            shown = scene.frame(round(index * 1e9 / RATE_HZ))
            boxes = shown.truth.visible_boxes_xyxy
            detector.give(detections_from(boxes + rng.normal(0, _BOX_SPREAD_PX, boxes.shape)))
            people = pipeline.process(shown.frame).people
            if len(people) == len(shown.truth) == 1:
                pairs.append((shown.truth, people))
        truth, estimates = (
            Bodies(
                np.concatenate([each.rotations for each in side]),
                np.concatenate([each.betas for each in side]),
                np.concatenate([each.translations_m for each in side]),
            )
            for side in zip(*pairs, strict=True)
        )
        sequences.append(Sequence(truth, estimates))
    return sequences


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description="Jitter and lag with and without smoothing.")
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    body = Body(load_builtin_body())
    estimates = {"simulated": simulate(body, chosen.sequences)}
    for name in SHIPPED_MODELS:
        if shipped_path(name).is_file():
            estimator = Estimator(load_shipped_model(name))
            estimates[name] = estimate(body, estimator, chosen.sequences)
    results = [
        {"estimates": source, "smoothing": name} | asdict(measure(body, sequences, config))
        for source, sequences in estimates.items()
        for name, config in make_configurations().items()
    ]
    header = [name.replace("_", " ") for name in results[0]]
    table = format_table(header, [list(row.values()) for row in results])
    write_results({"noise": asdict(NOISE), "results": results}, table, chosen.json)


if __name__ == "__main__":
    main()
