"""Parts shared by the benchmarks: the machine, times, tables and files."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smpler_model.atomic_files import write_text_atomically

Run = Callable[[], object]
_Sample = tuple[float, float]
"""Milliseconds of wall time, and of CPU time of all threads."""

_SETTLING_RUNS = 2
_TURNS = 4
_LEAST_RUNS = 2
_TRIES = 2
_DISTURBANCE = 0.1
"""Fraction of all cores above which other programs disturb a turn, so that it is repeated."""

_LEAST_MATRIX, _MATRIX, _PRODUCT_S = 256, 2048, 0.01
_COPY_BYTES = 1 << 28


@dataclass(frozen=True)
class Times:
    """Duration of something.

    Attributes:
        median_ms: median wall time.
        p99_ms: 99th percentile of the wall time.
        cpu_ms: median CPU time of all threads, including busy waiting.
        runs: number of runs.
        disturbance: fraction of all cores that other programs used meanwhile.
    """

    median_ms: float
    p99_ms: float
    cpu_ms: float | None
    runs: int
    disturbance: float | None


def time_together(runs: Mapping[str, Run], seconds: float) -> dict[str, Times]:
    """Time several things in turns, so that a disturbance affects all of them.

    Args:
        runs: what is timed, by name.
        seconds: total time for each.
    """
    samples: dict[str, list[_Sample]] = {name: [] for name in runs}
    disturbances: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(_TURNS):
        for name, run in runs.items():
            taken, disturbance = _take_turn(run, seconds / _TURNS)
            samples[name] += taken
            disturbances[name].append(disturbance)
    return {
        name: _summarise(taken, float(np.mean(disturbances[name])))
        for name, taken in samples.items()
    }


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return the machine's properties that affect results: processor, threads, versions, speed."""
    facts: dict[str, Any] = {
        "processor": name_processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": str(device),
    }
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    facts["float32_gflops"] = measure_product(device, torch.float32)
    facts["half_gflops"] = measure_product(device, half)
    facts["copy_gb_per_s"] = measure_copy(device)
    return facts


def name_processor() -> str:
    """Return the processor's name as reported by the system."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def measure_product(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations per second of a large matrix product, in 1e9.

    The matrices grow until a product takes `_PRODUCT_S`: a processor without instructions for
    `dtype` needs half a minute for the largest.
    """
    side = _LEAST_MATRIX
    while True:
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        taken = _fastest(partial(torch.matmul, left, right), device)
        if side >= _MATRIX or taken >= _PRODUCT_S:
            return 2 * side**3 / taken / 1e9
        side *= 2


def measure_copy(device: torch.device) -> float:
    """Return the bytes per second that a large copy reads and writes, in 1e9."""
    source = torch.zeros(_COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * _COPY_BYTES / _fastest(lambda: target.copy_(source), device) / 1e9


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; numbers to three digits."""
    shown = [[_show(cell) for cell in row] for row in rows]
    if any(len(row) != len(header) for row in shown):
        raise ValueError(f"a table of {len(header)} columns must have rows as long, got {rows}")
    lines = [header, ["---"] * len(header), *shown]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_results(results: Mapping[str, Any], table: str, path: Path | None) -> None:
    """Print a table, and optionally write the figures as JSON."""
    sys.stdout.write(table + "\n")
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, json.dumps(results, indent=1) + "\n")


def _summarise(samples: Sequence[_Sample], disturbance: float) -> Times:
    wall, cpu = np.array(samples).T
    p99 = float(np.percentile(wall, 99))
    return Times(float(np.median(wall)), p99, float(np.median(cpu)), len(wall), disturbance)


def _time(run: Run, seconds: float) -> list[_Sample]:
    """Run repeatedly; return the duration of each run."""
    for _ in range(_SETTLING_RUNS):
        run()
    samples: list[_Sample] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < _LEAST_RUNS:
        start, worked = time.perf_counter(), time.process_time()
        run()
        samples.append((1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - worked)))
    return samples


def _take_turn(run: Run, seconds: float) -> tuple[list[_Sample], float]:
    """Return the times of the least disturbed try, and the cores' fraction used by others."""
    best: tuple[list[_Sample], float] = ([], np.inf)
    for _ in range(_TRIES):
        before = _Clock.read()
        taken = _time(run, seconds)
        disturbance = before.others_until(_Clock.read())
        if disturbance < best[1]:
            best = (taken, disturbance)
        if disturbance < _DISTURBANCE:
            break
        time.sleep(seconds)
    return best


@dataclass(frozen=True)
class _Clock:
    """Seconds of wall time, of all cores' work, and of this process's work."""

    wall: float
    busy: float
    own: float

    @classmethod
    def read(cls) -> _Clock:
        own = sum(os.times()[:2])
        stat = Path("/proc/stat")
        if not stat.exists():
            return cls(time.perf_counter(), own, own)
        user, nice, system = map(int, stat.read_text().split()[1:4])
        ticks = os.sysconf("SC_CLK_TCK")
        return cls(time.perf_counter(), (user + nice + system) / ticks, own)

    def others_until(self, later: _Clock) -> float:
        """Return the fraction of all cores that other processes used."""
        others = (later.busy - self.busy) - (later.own - self.own)
        return max(0.0, others / (later.wall - self.wall) / (os.cpu_count() or 1))


def _fastest(run: Run, device: torch.device, repetitions: int = 8) -> float:
    """Return the shortest time of a run, seconds.

    On a CPU it is the threads' CPU time divided by their number, which other programs do not
    affect.
    """
    on_cpu = device.type == "cpu"
    taken = []
    for _ in range(repetitions):
        start, worked = time.perf_counter(), time.process_time()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        work = (time.process_time() - worked) / torch.get_num_threads()
        taken.append(work if on_cpu else time.perf_counter() - start)
    return min(taken)


def _show(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:.0f}"
