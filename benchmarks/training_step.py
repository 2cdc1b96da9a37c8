"""Times of one weight update on synthetic crops: `python -m benchmarks.training_step`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Generator

from benchmarks.timing import describe_machine, format_table, time_together, write_results
from smpler_model.network.config import MODELS
from synthetic.crops import CropRenderer
from training.data.crop_files import Batch, batch_of
from training.learning.learner import Learner
from training.learning.objectives import CropObjective
from training.learning.processes import Processes
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings

WAYS = {
    "float32": {"autocast": "none", "channels_last": False},
    "float32, channels last": {"autocast": "none"},
    "backbone in bfloat16": {"autocast": "backbone"},
    "network in bfloat16": {"autocast": "network"},
}


def build_learner(settings: TrainSettings, device: torch.device) -> Learner[Batch]:
    """Return a learner with seeded weights on a device."""
    objective = CropObjective(build_starting_model(settings), settings)
    return Learner(settings, objective, Processes(device=device), settings.steps)


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=tuple(MODELS), default="smpler_nano")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each figure")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    device = torch.device(chosen.device)
    usual = TrainSettings(model=chosen.model, batch=chosen.batch)
    learners = {
        way: build_learner(replace(usual, **changes), device)  # type: ignore[arg-type]
        for way, changes in WAYS.items()
    }
    body = next(iter(learners.values())).model.body.cpu()
    renderer = CropRenderer(body, MODELS[chosen.model].image_size)
    batch = batch_of(renderer.draw(chosen.batch, Generator().manual_seed(0))).to(device)
    body.to(device)
    sys.stderr.write("prepared; measuring\n")
    # A step reads its loss back, and therefore ends when the device has finished it.
    runs = {way: (lambda one=learner: one.step([batch])) for way, learner in learners.items()}
    times = time_together(runs, chosen.seconds)
    results = {
        "machine": describe_machine(device),
        "model": chosen.model,
        "batch": chosen.batch,
        "ways": {way: asdict(taken) for way, taken in times.items()},
    }
    rows = [
        (way, t.median_ms, t.p99_ms, 1e3 * chosen.batch / t.median_ms, f"{t.disturbance:.0%}")
        for way, t in times.items()
    ]
    header = ("step", "median ms", "p99 ms", "crops/s", "disturbed")
    write_results(results, format_table(header, rows), chosen.json)


if __name__ == "__main__":
    main()
