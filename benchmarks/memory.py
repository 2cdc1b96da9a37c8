"""Checks that memory does not grow over many frames: `python -m benchmarks.memory`.

The pipeline processes the frames of a synthetic camera repeatedly, with true boxes; people come
and go, and every frame is posed with its mesh. Memory that a frame leaves behind would add up.
"""

from __future__ import annotations

import argparse
import gc
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.networks import build_seeded_model
from benchmarks.pipeline import render_frames
from benchmarks.timing import describe_machine, format_table, write_results
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.inference.backends import BACKENDS
from smpler_model.inference.estimator import Estimator
from smpler_model.network.config import MODELS
from smpler_model.pipeline import Pipeline
from synthetic.truth import SceneFrame

_PERIOD_NS = 33_333_333
_MIB = 1 << 20


@dataclass(frozen=True)
class ProcessMemory:
    """Memory of the process after some frames.

    Attributes:
        frames: number of frames processed so far.
        resident_mib: resident memory of the whole process.
        python_blocks: allocated memory blocks of Python objects.
        device_mib: tensors on the GPU; 0 on a CPU.
    """

    frames: int
    resident_mib: float
    python_blocks: int
    device_mib: float


def measure_memory(
    estimator: Estimator, shown: list[SceneFrame], frames: int, readings: int
) -> list[ProcessMemory]:
    """Process frames; return the memory at evenly spaced readings."""
    detector = GivenBoxes()
    pipeline = Pipeline(estimator, lambda: detector)
    held = []
    for index in tqdm(range(frames), desc="frames"):
        scene = shown[index % len(shown)]
        detector.give(detections_from(scene.truth.visible_boxes_xyxy))
        pipeline.process(replace(scene.frame, stamp_ns=index * _PERIOD_NS), mesh=True)
        if (index + 1) * readings // frames > index * readings // frames:
            held.append(read_memory(index + 1, estimator.device))
    return held


def read_memory(frames: int, device: torch.device) -> ProcessMemory:
    """Return the current memory of the process."""
    gc.collect()
    status = Path("/proc/self/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024
    on_gpu = torch.cuda.memory_allocated(device) / _MIB if device.type == "cuda" else 0.0
    return ProcessMemory(frames, resident, sys.getallocatedblocks(), on_gpu)


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=tuple(MODELS), default="smpler_nano")
    parser.add_argument("--people", type=int, default=3, help="number of people in the room")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--readings", type=int, default=10)
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    estimator = Estimator(build_seeded_model(chosen.model), chosen.device, backend=chosen.backend)
    shown = render_frames(chosen.people, 100)
    held = measure_memory(estimator, shown, chosen.frames, chosen.readings)
    results = {
        "machine": describe_machine(estimator.device),
        "model": chosen.model,
        "backend": estimator.backend,
        "held": [asdict(each) for each in held],
    }
    head = ("frames", "resident MiB", "Python blocks", "device MiB")
    rows = [(h.frames, f"{h.resident_mib:.1f}", h.python_blocks, h.device_mib) for h in held]
    write_results(results, format_table(head, rows), chosen.json)


if __name__ == "__main__":
    main()
