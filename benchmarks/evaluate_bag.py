"""Overhead of `evaluate_bag` besides its steps: `python -m benchmarks.evaluate_bag`.

A synthetic bag is evaluated; the time from opening it to the last file is compared with the sum of
the steps that the run measured (read, detect ... write). Not counted as steps are checkpoints, and
summary, hashes and report, which take about the same time for any bag. Speed does not depend on
the weights: random ones are used if none are shipped.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from smpler_model.atomic_files import write_text_atomically
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from smpler_ros.bags.bag_run import Summary, evaluate_bag
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.settings import USUAL_OUTPUTS, EvaluationSettings
from smpler_ros.camera.scene_bag import SceneBagSettings, write_scene_bag


@dataclass(frozen=True)
class Result:
    """A run: its total time, seconds, and its summary."""

    seconds: float
    summary: Summary

    def row(self, title: str) -> str:
        """Return a row of the table."""
        frames = self.summary["frames"]
        steps_s = frames * self.summary["latency_ms"]["together"]["mean"] / 1e3
        loop_s = self.summary["wall_s"]
        shares = [f"{100 * (each / steps_s - 1):.1f} %" for each in (loop_s, self.seconds)]
        rate = f"{frames / self.seconds:.1f}"
        numbers = [title, str(frames), rate, f"{steps_s:.1f}", f"{self.seconds:.1f}", *shares]
        return f"| {' | '.join(numbers)} |"


def measure(bag: Path, short: Path, folder: Path, config: EvaluationSettings) -> Result:
    """Evaluate a bag after a short one, with everything loaded."""
    engine = Engine(config)
    evaluate_bag(short, folder / "warm_up", config, engine)
    start = time.perf_counter()
    summary = evaluate_bag(bag, folder / "run", config, engine)
    return Result(time.perf_counter() - start, summary)


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the bag")
    parser.add_argument("--bag", type=Path, help="a bag with ground truth, instead of a new one")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = []
    lines = [
        "| output | images | images/s | steps s | all s | loop over steps | all over steps |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bag, short, checkpoint = folder / "bag", folder / "short", folder / "nano.pt"
        body = load_builtin_body()
        torch.manual_seed(0)
        save_checkpoint(build_model(SMPLER_NANO, body), checkpoint)
        write_scene_bag(short, Body(body), SceneBagSettings(duration=0.5, rate=10))
        if arguments.bag:
            bag = arguments.bag
        else:
            scene = SceneBagSettings(duration=arguments.seconds, rate=10)
            write_scene_bag(bag, Body(body), scene)
        usual = EvaluationSettings(
            model=str(checkpoint),
            threads=arguments.threads,
            backend=arguments.backend,
            device="cpu",
            boxes="truth",
        )
        cases = {
            "people, tf": replace(usual, outputs=("people", "tf")),
            "usual (meshes, skeletons)": replace(usual, outputs=USUAL_OUTPUTS),
        }
        for index, (title, config) in enumerate(cases.items()):
            result = measure(bag, short, folder / str(index), config)
            lines.append(result.row(title))
            results.append({"output": title} | vars(result))
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.json:
        write_text_atomically(arguments.json, json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
