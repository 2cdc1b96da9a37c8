"""Errors caused by boxes around a part of a body: `python -m benchmarks.boxes`.

People of synthetic scenes walk, sit and pass in front of each other and behind furniture, before a
camera that shows them whole and before one so close that it cuts them off; with `--close`, before
one that mostly sees people above the hips, like that of a robot in conversation. The network gets
crops around four kinds of boxes: `whole`, around the whole body, even beyond the image;
`in image`, the same, clipped to the image; `visible`, around the visible pixels; and those of the
detector.

For each kind, and by the share of joints in view: the overlap with the whole body's box (IoU), the
distance of their centres over the height of the whole box, the ratio of their longer sides, which
scale the crops; and the network's errors: of the joints with the pelvises aligned (MPJPE), how
much more that is than in the detector's box (mean over the people, and its standard error), of the
joints after a similarity transform (PA), and of the pelvis's position. Only people found by the
detector count.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.joint_confidence import CAMERAS, draw_frames
from benchmarks.real_people.estimation import ONE_IMAGE
from benchmarks.timing import format_table, write_results
from benchmarks.tracking import match
from smpler_model.array_types import Floats
from smpler_model.assembly import build_pipeline, choose_device, detector_factory
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.detectors.box_overlap import box_overlaps
from smpler_model.detectors.detector import Detector, GivenBoxes, detections_from
from smpler_model.inference.estimator import Estimator
from smpler_model.people.metrics import MM_FROM_M, aligned_joint_error
from smpler_model.pipeline import Pipeline
from smpler_model.settings.pipeline import DETECTORS, PipelineSettings
from synthetic.truth import SceneFrame

SHARES = ((0.2, 0.5), (0.5, 0.8), (0.8, 1.0))
"""Ranges of the share of joints in view."""

Row = dict[str, str | float]
"""Figures of one kind of boxes in one range, by name."""

DETECTOR = "detector"
"""Kind of the boxes that the detector finds."""

CLOSE = (Camera(640, 480, 1800, 1800, 319.5, 420.0),)
"""The camera of `--close`; its principal point is low, so that heads are in the image."""

_FIRST_SEED = 700
_USUAL = tuple(CAMERAS.values())


@dataclass(frozen=True)
class BoxErrors:
    """Errors of n boxes and of what the network sees in them, (n,) each.

    Attributes:
        overlap: intersection over union with the box of the whole body.
        centre: distance of the centres over the height of that box.
        scale: longer side over that of the whole body's box.
        mpjpe_mm: mean distance of the joints, the pelvises aligned.
        pa_mm: the same after a similarity transform.
        pelvis_m: distance of the pelvises.
    """

    overlap: Floats
    centre: Floats
    scale: Floats
    mpjpe_mm: Floats
    pa_mm: Floats
    pelvis_m: Floats

    def select(self, rows: np.ndarray) -> BoxErrors:
        """Return some of the boxes."""
        return BoxErrors(*(values[rows] for values in astuple(self)))

    def summary(self) -> dict[str, float]:
        """Return the means; of the pelvis's error, which has outliers, the median."""
        means = {each.name: float(getattr(self, each.name).mean()) for each in fields(self)}
        return means | {"pelvis_m": float(np.median(self.pelvis_m))}


def find_boxes(detector: Detector, shown: SceneFrame) -> tuple[np.ndarray, dict[str, Floats]]:
    """Return the rows (n,) of the people who are found, and their boxes (n, 4) of each kind."""
    truth = shown.truth
    found = detector.detect(shown.frame.rgb).boxes_xyxy
    pairs = np.array(match(truth.visible_boxes_xyxy, found), int).reshape(-1, 2)
    people, boxes = pairs.T
    height, width = shown.frame.rgb.shape[:2]
    last = np.array([width, height, width, height]) - 1.0
    whole = truth.boxes_xyxy[people]
    return people, {
        "whole": whole,
        "in image": whole.clip(0, last),
        "visible": truth.visible_boxes_xyxy[people],
        DETECTOR: found[boxes],
    }


def judge(estimator: Estimator, shown: SceneFrame, people: np.ndarray, boxes: Floats) -> BoxErrors:
    """Return the errors of boxes (n, 4) of some people, and of what the network sees in them.

    Raises:
        ValueError: the model does not estimate everybody.
    """
    detector, truth = GivenBoxes(), shown.truth
    detector.give(detections_from(boxes))
    seen = Pipeline(estimator, lambda: detector, ONE_IMAGE).process(shown.frame).people
    if len(seen) != len(boxes):
        raise ValueError(
            f"every box must give a person, got {len(seen)} of {len(boxes)}; give a "
            "trained model with --model"
        )
    true = truth.joints_m[people]
    apart = (seen.joints_m - seen.joints_m[:, :1]) - (true - true[:, :1])
    return BoxErrors(
        *compare(boxes, truth.boxes_xyxy[people]),
        MM_FROM_M * np.linalg.norm(apart, axis=-1).mean(-1),
        aligned_joint_error(seen.joints_m, true),
        np.linalg.norm(seen.joints_m[:, 0] - true[:, 0], axis=-1),
    )


def compare(boxes: Floats, whole: Floats) -> tuple[Floats, Floats, Floats]:
    """Return overlap, distance of centres and scale of boxes (n, 4) as `BoxErrors` has them."""
    sizes, whole_sizes = (each[:, 2:] - each[:, :2] for each in (boxes, whole))
    middles, whole_middles = ((each[:, :2] + each[:, 2:]) / 2 for each in (boxes, whole))
    return (
        np.diagonal(box_overlaps(boxes, whole)).copy(),
        np.linalg.norm(middles - whole_middles, axis=1) / whole_sizes[:, 1],
        sizes.max(1) / whole_sizes.max(1),
    )


def measure(
    estimator: Estimator,
    detector: Detector,
    seeds: range,
    frames: int,
    cameras: Sequence[Camera] = _USUAL,
) -> tuple[Floats, dict[str, BoxErrors]]:
    """Return the shares (n,) of joints in view of all people found, and their errors by kind."""
    shares: list[Floats] = []
    parts: dict[str, list[BoxErrors]] = defaultdict(list)
    for shown in draw_frames(Body(load_builtin_body()), seeds, frames, cameras):
        people, kinds = find_boxes(detector, shown)
        if not len(people):
            continue
        shares.append(shown.truth.joints_in_view[people].mean(1))
        for kind, boxes in kinds.items():
            parts[kind].append(judge(estimator, shown, people, boxes))
    joined = {
        kind: BoxErrors(*map(np.concatenate, zip(*map(astuple, each), strict=True)))
        for kind, each in parts.items()
    }
    return np.concatenate(shares), joined


def summarise(shares: Floats, errors: Mapping[str, BoxErrors]) -> list[Row]:
    """Return a row of figures per range of shares and kind of box."""
    rows: list[Row] = []
    for low, high in SHARES:
        inside = (shares >= low) & ((shares < high) | (high == 1.0))
        for kind, each in errors.items() if inside.any() else ():
            title: Row = {"in_view": f"{low:.0%} to {high:.0%}", "people": int(inside.sum())}
            more = (each.mpjpe_mm - errors[DETECTOR].mpjpe_mm)[inside]
            compared: Row = {
                "more_mm": float(more.mean()),
                "more_error_mm": float(more.std() / math.sqrt(len(more))),
            }
            rows.append(title | {"boxes": kind} | each.select(inside).summary() | compared)
    return rows


def tabulate(rows: list[Row]) -> str:
    """Return the figures as a table."""
    header = ["joints in view", "people", "boxes", "IoU", "centre", "scale"]
    lines = [
        [
            *(row[name] for name in ("in_view", "people", "boxes")),
            *(f"{row[name]:.2f}" for name in ("overlap", "centre", "scale")),
            f"{row['mpjpe_mm']:.0f}",
            f"{row['more_mm']:+.1f} ± {row['more_error_mm']:.1f}",
            f"{row['pa_mm']:.0f}",
            f"{row['pelvis_m']:.2f}",
        ]
        for row in rows
    ]
    return format_table([*header, "MPJPE mm", "more than detector's", "PA mm", "pelvis m"], lines)


def main() -> int:
    """Measure, print a table, and optionally write JSON; return 1 after an error."""
    parser = argparse.ArgumentParser(description="Errors caused by boxes around a part of a body.")
    parser.add_argument("--detector", choices=DETECTORS, default="person")
    parser.add_argument("--detector-weights", default="", help="weights file of the detector")
    parser.add_argument("--model", default="smpler_nano", help="a shipped model, or a checkpoint")
    parser.add_argument(
        "--scenes", type=int, default=6, help="number of scenes, each seen by all cameras"
    )
    parser.add_argument("--frames", type=int, default=10, help="images per scene and camera")
    parser.add_argument(
        "--close", action="store_true", help="a camera that mostly sees people above the hips"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    settings = PipelineSettings(
        model=chosen.model,
        detector=chosen.detector,
        detector_weights=chosen.detector_weights,
    )
    seeds = range(_FIRST_SEED, _FIRST_SEED + chosen.scenes)
    try:
        detector = detector_factory(settings, choose_device(settings.device))()
        estimator = build_pipeline(settings, GivenBoxes).estimator
        cameras = CLOSE if chosen.close else _USUAL
        rows = summarise(*measure(estimator, detector, seeds, chosen.frames, cameras))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    title = f"people found by {chosen.detector}, seen by {chosen.model}"
    write_results({"rows": rows}, f"{title}\n\n{tabulate(rows)}", chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
