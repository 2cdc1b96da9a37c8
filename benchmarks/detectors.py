"""Cost of each detector per image, for `benchmarks.pipeline`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import torch

from benchmarks.timing import Run, Times, format_table, time_together
from smpler_model.assembly import detector_factory
from smpler_model.detectors.detector import Detector, GivenBoxes
from smpler_model.settings.pipeline import DETECTORS, PipelineSettings
from synthetic.truth import SceneFrame

WITHOUT = "none"
"""Name of given boxes, which no detector has found."""

CHOICES = (*DETECTORS, WITHOUT)


def measure_detectors(
    names: Sequence[str],
    frames: Sequence[SceneFrame],
    device: torch.device,
    *,
    threads: int,
    weights: str = "",
    seconds: float = 4.0,
) -> dict[str, Times]:
    """Time detectors in turns, on the same images.

    Args:
        names: names of the detectors.
        frames: successive images of a camera, over and over again.
        device: where they run.
        threads: threads on a CPU.
        weights: file of a detector that needs one.
        seconds: total time for each.

    Raises:
        ValueError: a detector that cannot be used.
    """
    runs = {}
    for name in names:
        if name == WITHOUT:
            runs[name] = _detect_in(GivenBoxes(), frames)
            continue
        given = weights if name in ("onnx", "torchvision") else ""
        settings = PipelineSettings(detector=name, detector_weights=given, threads=threads)
        runs[name] = _detect_in(detector_factory(settings, device)(), frames)
    return time_together(runs, seconds)


def tabulate(detectors: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of times by the detectors' names."""
    rows = [
        (name, t["median_ms"], t["p99_ms"], t["cpu_ms"], f"{t['disturbance']:.0%}")
        for name, t in detectors.items()
    ]
    return format_table(("detector", "median ms", "p99 ms", "CPU ms", "disturbed"), rows)


def _detect_in(detector: Detector, frames: Sequence[SceneFrame]) -> Run:
    images = cycle([each.frame.rgb for each in frames])
    return lambda: detector.detect(next(images))
