"""All benchmarks of a GPU, in one file: `python -m benchmarks.gpu`; `make gpu` calls it.

All ways to run the network against SMPLer's own code (`reference`: plain eager PyTorch, a mesh
after each stage), how long a node takes to configure, whole frames, mesh markers, and
training steps. What cannot run here is left out and named. Figures are written after each part, so
that an error loses none of them.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch

from benchmarks.detectors import tabulate
from benchmarks.inference import REFERENCE, build_estimator, measure_errors, measure_times
from benchmarks.networks import build_seeded_model
from benchmarks.timing import describe_machine, format_table, time_together
from smpler_model.atomic_files import write_text_atomically
from smpler_model.checkpoints.shipped import load_shipped_model
from smpler_model.inference.backends import choose
from smpler_model.inference.estimator import Estimator
from smpler_model.inference.self_check import build_checked_estimator
from smpler_model.machine.graphics import find_cards
from smpler_model.machine.packages import version_of

WAYS = {
    "cuda": ("plain", "eager", "eager half", "cuda_graph", "cuda_graph half"),
    "cpu": ("plain", "eager"),
}
COMPILED = {"cuda": ("compiled half",)}
"""Compiling takes minutes, so it comes last, with one model and few numbers of people."""

_COMPILED_PEOPLE = (1, 8)
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "onnxruntime")
_TRAINED = {"smpler_nano": 64, "smpler_w32": 32}

Part = Callable[[argparse.Namespace], Any]


def describe(device: torch.device, tests: Path | None) -> dict[str, Any]:
    """Return card, driver and versions, and how the tests went.

    Args:
        device: the device that is measured.
        tests: JUnit file of pytest; None where the tests did not run.
    """
    versions = {name: version_of(name) for name in _PACKAGES}
    return {
        "cards": [asdict(card) for card in find_cards()],
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "versions": {name: found for name, found in versions.items() if found},
        "system": platform.platform(),
        "machine": describe_machine(device),
        "tests": read_tests(tests) if tests else None,
    }


def read_tests(path: Path) -> dict[str, Any]:
    """Return how many tests passed, failed and were skipped, and which failed and why."""
    cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    failed = {
        f"{case.get('classname')}::{case.get('name')}": (fault.get("message") or "")[:500]
        for case in cases
        for fault in (*case.findall("failure"), *case.findall("error"))
    }
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {
        "passed": len(cases) - len(failed) - skipped,
        "skipped": skipped,
        "failed": failed,
        "seconds": sum(float(case.get("time", 0)) for case in cases),
    }


def measure_inference(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return times and errors of one model in every way."""
    device = torch.device(chosen.device)
    model = build_seeded_model(name)
    estimators = {way: build_estimator(model, way, device) for way in WAYS[device.type]}
    rows = [
        row
        for people in chosen.people
        for row in measure_times(model, estimators, people, chosen.seconds)
    ]
    return {
        "rows": [asdict(row) for row in rows],
        "errors": measure_errors(model, estimators),
    }


def measure_configuring(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return what a node does at its start: the self-check of the shipped model."""
    model = load_shipped_model("smpler_nano")
    start = time.perf_counter()
    choice = choose(model, torch.device(chosen.device))
    checked = build_checked_estimator(model, choice, max(chosen.people))
    return {
        "seconds": time.perf_counter() - start,
        "backend": str(checked.estimator.choice),
        "one_person_ms": checked.one_person_ms,
        "deviation": asdict(checked.deviation),
        "refused": list(checked.refused),
    }


def measure_frames(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the time of each step of a frame, without and with meshes."""
    from benchmarks.pipeline import measure_steps, render_frames

    estimator = Estimator(load_shipped_model("smpler_nano"), chosen.device)
    estimator.warm_up(max(chosen.people))
    frames = render_frames(3, chosen.frames)
    found = {}
    for mesh in (False, True):
        steps, people = measure_steps(estimator, frames, mesh=mesh)
        name = "with meshes" if mesh else "without meshes"
        found[name] = {
            "people": people,
            "steps": {step: asdict(times) for step, times in steps.items()},
        }
    return found


def measure_detectors(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the time of `person` for an image in the host's memory, without tracking."""
    from benchmarks import detectors
    from benchmarks.pipeline import render_frames

    frames = render_frames(3, min(chosen.frames, 8))
    times = detectors.measure_detectors(
        ("person",), frames, torch.device(chosen.device), threads=0, seconds=chosen.seconds
    )
    return {name: asdict(each) for name, each in times.items()}


def measure_compiled(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the times of the network compiled by PyTorch, by model."""
    device = torch.device(chosen.device)
    model = build_seeded_model("smpler_nano")
    estimators = {way: build_estimator(model, way, device) for way in COMPILED[device.type]}
    rows = [
        row
        for people in _COMPILED_PEOPLE
        for row in measure_times(model, estimators, people, chosen.seconds)
    ]
    return {"smpler_nano": {"rows": [asdict(row) for row in rows], "errors": {}}}


def measure_markers(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the times of mesh markers over real topics."""
    from benchmarks.markers import run

    return [asdict(row) | {"each_ms": row.each_ms} for row in run(chosen.markers)]


def measure_training(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the times of an optimiser step in float32 and in half precision."""
    from torch import Generator

    from benchmarks.training_step import WAYS as STEPS
    from benchmarks.training_step import build_learner
    from smpler_model.network.config import MODELS
    from synthetic.crops import CropRenderer
    from training.data.crop_files import batch_of
    from training.settings import TrainSettings

    device = torch.device(chosen.device)
    body = load_shipped_model("smpler_nano").body

    def measure(name: str) -> dict[str, Any]:
        size = chosen.batch or _TRAINED[name]
        usual = TrainSettings(model=name, batch=size)
        renderer = CropRenderer(body, MODELS[name].image_size)
        batch = batch_of(renderer.draw(size, Generator().manual_seed(0))).to(device)
        runs = {
            way: partial(build_learner(replace(usual, **changes), device).step, [batch])  # type: ignore[arg-type]
            for way, changes in STEPS.items()
        }
        times = time_together(runs, chosen.seconds)
        return {"batch": size, "ways": {way: asdict(each) for way, each in times.items()}}

    return {name: measure(name) for name in chosen.trained}


def measure_all(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure part after part for as long as there is time; write what there is after each."""
    end = time.monotonic() + chosen.limit
    results = describe(torch.device(chosen.device), chosen.tests)
    left_out: dict[str, str] = {}
    results |= {"inference": {}, "left_out": left_out}
    parts: dict[str, Part] = {
        "configuring": measure_configuring,
        "frames": measure_frames,
        "detectors": measure_detectors,
    }
    for name in chosen.models:
        parts[name] = lambda options, name=name: measure_inference(name, options)  # type: ignore[misc]
    parts |= {"training": measure_training, "markers": measure_markers}
    if torch.device(chosen.device).type in COMPILED:
        parts["compiled"] = measure_compiled
    for name, part in parts.items():
        if time.monotonic() > end:
            left_out[name] = "the time was up before it"
        else:
            sys.stderr.write(f"measuring: {name}\n")
            try:
                found = part(chosen)
                (results["inference"] if name in chosen.models else results)[name] = found
            except KeyboardInterrupt:  # as of `make gpu`, when the time is up
                end = time.monotonic()
                left_out[name] = "it was interrupted"
            except Exception as error:  # the other parts are wanted all the same
                left_out[name] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                sys.stderr.write(f"left out: {name}: {left_out[name]}\n")
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(chosen.json, json.dumps(results, indent=1) + "\n")
    return results


def show(results: Mapping[str, Any]) -> str:
    """Return the figures as text for `docs/performance.md`."""
    cards = "; ".join(
        f"{card['name']}, driver {card['driver']}, {card['memory']}" for card in results["cards"]
    )
    versions = ", ".join(f"{name} {found}" for name, found in results["versions"].items())
    parts = [f"{cards or results['machine']['processor']}; CUDA {results['cuda']}; {versions}."]
    tests = results["tests"]
    if tests:
        parts.append(
            f"Tests: {tests['passed']} passed, {len(tests['failed'])} failed, "
            f"{tests['skipped']} skipped."
        )
    if results["inference"]:
        parts.append(_show_inference(results["inference"]))
    if "compiled" in results:
        parts.append(_show_inference(results["compiled"]))
    if "configuring" in results:
        found = results["configuring"]
        parts.append(
            f"Configuring: {found['seconds']:.1f} s, {found['backend']}, one person "
            f"{found['one_person_ms']:.2f} ms, within {found['deviation']['degrees']:.2g} degrees "
            f"and {found['deviation']['mm']:.2g} mm of the plain network in float32 on the CPU."
        )
    if "frames" in results:
        parts.append(_show_frames(results["frames"]))
    if "detectors" in results:
        parts.append(tabulate(results["detectors"]))
    if "training" in results:
        parts.append(_show_training(results["training"]))
    if "markers" in results:
        rows = [(r["people"], r["way"], r["each_ms"]) for r in results["markers"]]
        parts.append(format_table(("people", "markers", "ms a person"), rows))
    parts += [f"Left out: {name}: {why}." for name, why in results["left_out"].items()]
    return "\n\n".join(parts)


def _show_inference(models: Mapping[str, Any]) -> str:
    rows = []
    for name, found in models.items():
        medians = {(row["people"], row["way"]): row["times"]["median_ms"] for row in found["rows"]}
        for row in found["rows"]:
            people, way, times = row["people"], row["way"], row["times"]
            error = found["errors"].get(way, {}).get("rotations_deg", "")
            gain = medians[people, REFERENCE] / times["median_ms"]
            rows.append((name, people, way, times["median_ms"], times["p99_ms"], gain, error))
    header = ("model", "people", "way", "median ms", "p99 ms", "x reference", "error, degrees")
    return format_table(header, rows)


def _show_frames(frames: Mapping[str, Any]) -> str:
    rows = [
        (step, *(kind["steps"].get(step, {}).get("median_ms", "") for kind in frames.values()))
        for step in list(frames.values())[-1]["steps"]
    ]
    return format_table(("step of a frame, ms", *frames), rows)


def _show_training(training: Mapping[str, Any]) -> str:
    rows = []
    for name, found in training.items():
        first = next(iter(found["ways"].values()))["median_ms"]
        for way, times in found["ways"].items():
            rate = 1e3 * found["batch"] / times["median_ms"]
            rows.append((name, way, times["median_ms"], rate, first / times["median_ms"]))
    return format_table(("model", "training step", "median ms", "crops/s", "x float32"), rows)


def main() -> int:
    """Measure, print the text, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="*", default=["smpler_nano", "smpler_w32", "smpler_w48"])
    parser.add_argument("--trained", nargs="*", default=list(_TRAINED), choices=tuple(_TRAINED))
    parser.add_argument(
        "--batch", type=int, default=0, help="people in a training step; 0: default"
    )
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--frames", type=int, default=60, help="whole frames to time")
    parser.add_argument("--markers", type=int, nargs="+", default=[1, 4], help="people in markers")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure")
    parser.add_argument("--limit", type=float, default=300.0, help="start nothing after this, s")
    parser.add_argument("--tests", type=Path, help="JUnit file of the tests")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    chosen = parser.parse_args()
    sys.stdout.write(show(measure_all(chosen)) + f"\n\nwritten: {chosen.json}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
