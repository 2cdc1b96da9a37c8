"""Compares all backends of the network: `python -m benchmarks.inference`.

The reference is the plain network in eager float32 with a mesh after each stage, which is what
SMPLer's code computes; `plain` is the same without meshes. Times are those of
`Estimator.estimate`: uint8 crops in, NumPy arrays out. Rounding errors are distances from a
    float64 run, as multiples of
the plain network's own.
"""

from __future__ import annotations

import argparse
import copy
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.networks import build_seeded_model
from benchmarks.timing import (
    Run,
    Times,
    describe_machine,
    format_table,
    time_together,
    write_results,
)
from smpler_model.inference.backends import Backend, runs_in_half
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.inference.export import example_crops
from smpler_model.inference.fast_network import FastSmpler
from smpler_model.inference.runners import PlainNetwork
from smpler_model.network.config import MODELS
from smpler_model.network.smpler import Smpler

REFERENCE = "reference"
WAYS = {
    "cpu": ("plain", "eager", "eager half", "onnxruntime", "openvino", "openvino half"),
    "cuda": ("plain", "eager", "eager half", "cuda_graph half"),
}
_ERROR_PEOPLE = 2


@dataclass(frozen=True)
class Row:
    """Times of one backend with a number of people."""

    model: str
    way: str
    people: int
    times: Times


class MeshEachStage:
    """Computes what SMPLer's code does: a full body after each of the four stages."""

    def __init__(self, model: Smpler, device: torch.device) -> None:
        self._network, self._device = PlainNetwork(model).to(device), device

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """(n, side, side, 3) crops -> vertices and parameters on the host."""
        network = self._network
        images = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2)
        stages = network.model((images - network.mean) * network.scale, mesh=False).stages
        meshes = [network.model.body.mesh(stage.rotations, stage.betas) for stage in stages]
        last = stages[-1]
        wanted = (meshes[-1].vertices, last.rotations, last.betas, last.camera)
        return [values.cpu().numpy() for values in wanted]


def build_estimator(model: Smpler, way: str, device: torch.device) -> Estimator:
    """Return the estimator for a name: a backend, optionally followed by `half`."""
    backend, precision = split_way(way)
    return Estimator(copy.deepcopy(model), device, backend=backend, precision=precision)


def find_ways(model: Smpler, device: torch.device) -> list[str]:
    """Return the ways to run a model on a device, without those that it does not have."""
    split = {way: split_way(way) for way in WAYS[device.type]}
    return [
        way
        for way, (backend, precision) in split.items()
        if precision == "float32" or runs_in_half(model.config, backend)
    ]


def split_way(way: str) -> tuple[Backend, Literal["float32", "half"]]:
    """Return a name's backend, and its precision: `half` if it follows.

    Raises:
        ArgumentTypeError: an unknown name.
    """
    names: tuple[Backend, ...] = get_args(Backend)
    for name in names:
        if way == name:
            return name, "float32"
        if way == f"{name} half":
            return name, "half"
    raise argparse.ArgumentTypeError(
        f"a way must be one of {', '.join(names)}, optionally followed by half, got '{way}'"
    )


def measure_times(
    model: Smpler, estimators: dict[str, Estimator], people: int, seconds: float
) -> list[Row]:
    """Time all backends with this number of people, in turns."""
    crops = example_crops(model.config.image_size, people).numpy()
    device = next(iter(estimators.values())).device
    reference = MeshEachStage(copy.deepcopy(model), device)
    runs: dict[str, Run] = {REFERENCE: lambda: reference(crops)}
    for way, estimator in estimators.items():
        runs[way] = lambda estimator=estimator: estimator.estimate(crops)  # type: ignore[misc]
    times = time_together(runs, seconds)
    return [Row(model.config.name, way, people, taken) for way, taken in times.items()]


@torch.inference_mode()
def measure_errors(model: Smpler, estimators: dict[str, Estimator]) -> dict[str, dict[str, float]]:
    """Return each backend's deviations from a float64 run, root mean squares."""
    crops = example_crops(model.config.image_size, _ERROR_PEOPLE)
    exact = PlainNetwork(copy.deepcopy(model).cpu().double())
    truth = Estimates(*(values.numpy() for values in exact(crops)))
    return {
        way: _distance(estimator.estimate(crops.numpy()), truth)
        for way, estimator in estimators.items()
    }


def count_work(model: Smpler) -> dict[str, float]:
    """Return the cost per person: operations of the plain and the fast network, and weights."""
    crops = example_crops(model.config.image_size, 1)
    found: dict[str, float] = {}
    networks = {"plain": PlainNetwork(model), "fast": FastSmpler(model)}
    for name, network in networks.items():
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network(crops)
        found[f"{name}_gflop"] = counter.get_total_flops() / 1e9
    found["weights_mb"] = sum(v.nbytes for v in networks["fast"].state_dict().values()) / 1e6
    return found


def compute_floor(work: dict[str, float], machine: dict[str, Any]) -> dict[str, float]:
    """Return the minimum time per person, ms, from the device's measured throughput."""
    return {
        "float32_ms": 1e3 * work["fast_gflop"] / machine["float32_gflops"],
        "half_ms": 1e3 * work["fast_gflop"] / machine["half_gflops"],
        "weights_ms": work["weights_mb"] / machine["copy_gb_per_s"],
    }


def tabulate(rows: list[Row]) -> str:
    """Return the times as a table, with the speedup over the reference and over `plain`."""
    medians = {(row.way, row.people): row.times.median_ms for row in rows}
    lines = [
        (
            *(
                row.model,
                row.people,
                row.way,
                row.times.median_ms,
                row.times.p99_ms,
                row.times.cpu_ms,
            ),
            f"{row.times.disturbance:.0%}",
            medians[REFERENCE, row.people] / row.times.median_ms,
            medians["plain", row.people] / row.times.median_ms,
        )
        for row in rows
    ]
    header = (
        "model",
        "people",
        "way",
        "median ms",
        "p99 ms",
        "CPU ms",
        "disturbed",
        "x reference",
        "x plain",
    )
    return format_table(header, lines)


def main() -> None:
    """Measure one model; print the times, and optionally write all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=tuple(MODELS), default="smpler_w32")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--ways", nargs="+", type=_way, help="such as eager, 'openvino half'")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each figure")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    # Threads that wait for each other crawl on a busy machine: what is not timed uses one.
    torch.set_num_threads(1)
    device = torch.device(chosen.device)
    model = build_seeded_model(chosen.model)
    work = count_work(model)
    torch.set_num_threads(chosen.threads)
    ways = dict.fromkeys(("plain", *(chosen.ways or find_ways(model, device))))
    estimators = {way: build_estimator(model, way, device) for way in ways}
    sys.stderr.write("prepared; measuring\n")
    machine = describe_machine(device)
    rows = [
        row
        for people in chosen.people
        for row in measure_times(model, estimators, people, chosen.seconds)
    ]
    sys.stderr.write("measured; comparing\n")
    torch.set_num_threads(1)
    results = {
        "machine": machine,
        "work": work,
        "floor": compute_floor(work, machine),
        "errors": measure_errors(model, estimators),
        "rows": [asdict(row) for row in rows],
    }
    write_results(results, tabulate(rows), chosen.json)


def _way(text: str) -> str:
    split_way(text)
    return text


def _distance(found: Estimates, truth: Estimates) -> dict[str, float]:
    # The difference of two rotations by an angle a has the Frobenius norm sqrt(8) sin(a / 2).
    apart = np.linalg.norm(found.rotations - truth.rotations, axis=(-2, -1))
    degrees = np.degrees(2 * np.arcsin(np.clip(apart / np.sqrt(8), 0, 1)))
    joints_mm = 1000 * np.linalg.norm(found.joints_m - truth.joints_m, axis=-1)
    return {
        "rotations_deg": float(np.sqrt(np.mean(degrees**2))),
        "joints_mm": float(np.sqrt(np.mean(joints_mm**2))),
    }


if __name__ == "__main__":
    main()
