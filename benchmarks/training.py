"""Training speed, people per second: `python -m benchmarks.training [--model smpler_w32]`.

Several variants of the training step against the plain one (float32, eager, PyTorch's own memory
layout), and reading a data set alone, per worker.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import format_table, name_processor, write_results
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.network.config import find_model
from synthetic.crops import CropRenderer
from synthetic.tsv_files import write_tsv_dataset
from training.data.data_settings import TsvData, TsvSet
from training.data.labelled_people import LabelledPeople
from training.data.tsv_source import TsvSource
from training.learning.learner import Learner
from training.learning.objectives import PeopleObjective
from training.learning.processes import Processes, device_of_process
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings

PLAIN = "float32, eager, contiguous"
_LEAST_RUNS = 3


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    people_per_second: float
    times_plain: float


def forms(device: torch.device) -> dict[str, dict[str, Any]]:
    """Return the settings of each variant of the step; the plain one first."""
    plain = {"autocast": "none", "channels_last": False, "compile": False}
    table = {
        PLAIN: plain,
        "float32, channels last": plain | {"channels_last": True},
        "bfloat16, channels last": plain | {"autocast": "network", "channels_last": True},
    }
    if device.type == "cuda":
        fast = table["bfloat16, channels last"]
        table["bfloat16, channels last, compiled"] = fast | {"compile": True}
        table["float16, channels last"] = fast | {"autocast_type": "float16"}
    return table


def measure_steps(
    settings: TrainSettings, batch: LabelledPeople, seconds: float, processes: Processes
) -> list[Row]:
    """Time whole steps: forward, backward and update."""
    rows: list[Row] = []
    for name, changes in forms(processes.device).items():
        chosen = replace(settings, **changes)
        objective = PeopleObjective(build_starting_model(chosen), chosen)
        learner = Learner(chosen, objective, processes, steps=1_000_000)
        each = time_steps(learner, batch, seconds)
        rate = len(batch) / each
        rows.append(Row(name, rate, rate / (rows[0].people_per_second if rows else rate)))
    return rows


def time_steps(learner: Learner[LabelledPeople], batch: LabelledPeople, seconds: float) -> float:
    """Return the median time of a step, seconds; a step ends when its losses are known."""
    learner.step([batch])
    times: list[float] = []
    while len(times) < _LEAST_RUNS or sum(times) < seconds:
        start = time.perf_counter()
        learner.step([batch])
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure_reading(settings: TrainSettings, side: int, workers: int, people: int) -> float:
    """Return people per second and worker that are read, decoded, cropped and augmented."""
    assert isinstance(settings.data, TsvData)
    data = replace(settings.data, workers=workers)
    source = TsvSource(replace(settings, data=data), Processes(), data, side)
    steps = max(people // settings.batch, 2)
    batches = source.batches(0, steps)
    next(batches)  # workers start
    start = time.perf_counter()
    count = sum(len(batch) for parts in batches for batch in parts)
    return count / (time.perf_counter() - start) / max(workers, 1)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all figures; the data set is rendered into the folder."""
    renderer = CropRenderer(Body(load_builtin_body()), options.image)
    write_tsv_dataset(folder, "people", renderer, options.batch, seed=0)
    data = TsvData(
        sets=(TsvSet(Path("people.yaml")),), root=folder, validation_share=0.0, workers=0
    )
    settings = TrainSettings(
        model=options.model,
        data=data,
        output=folder,
        batch=options.batch,
        threads=options.threads,
        ema=0,
    )
    processes = Processes(device=device_of_process(options.device))
    side = find_model(options.model).image_size
    batch = next(TsvSource(settings, processes, data, side).batches(0, 1))[0]
    rows = measure_steps(settings, batch, options.seconds, processes)
    on_gpu = processes.device.type == "cuda"
    return {
        "model": options.model,
        "where": torch.cuda.get_device_name(processes.device) if on_gpu else name_processor(),
        "batch": options.batch,
        "steps": [asdict(row) for row in rows],
        "reading_per_worker": measure_reading(settings, side, options.workers, options.people),
    }


def report(options: argparse.Namespace, results: dict[str, Any]) -> str:
    """Return the figures as text."""
    rows = [
        (row["what"], row["people_per_second"], row["times_plain"]) for row in results["steps"]
    ]
    return "\n".join(
        (
            f"{options.model}, {options.batch} people a step, {results['where']}, "
            f"{options.threads} CPU threads",
            format_table(("training step", "people/s", "times plain"), rows),
            f"reading alone, images of {options.image} pixels, {options.workers} workers: "
            f"{results['reading_per_worker']:.1f} people/s and worker",
        )
    )


def main() -> None:
    """Measure, print a table, and optionally save it."""
    parser = argparse.ArgumentParser(description="Training speed, people per second.")
    parser.add_argument("--model", default="smpler_nano")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--image", type=int, default=512, help="side of the images, pixels")
    parser.add_argument("--people", type=int, default=512, help="total number to read")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each variant")
    parser.add_argument("--output", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options, Path(folder))
    write_results(results, report(options, results), options.output)


if __name__ == "__main__":
    main()
