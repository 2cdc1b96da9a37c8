"""What `evaluate_bag` takes besides its steps: `python -m benchmarks.evaluate_bag`.

A synthetic bag is evaluated; the time from the first image to the last file is compared with the
sum of the steps that the run measured (read, detect ... write). Speed does not depend on the
weights: fresh ones serve where none are shipped.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from smpler_model.body import Body
from smpler_model.builtin_body import load_builtin_body
from smpler_model.checkpoint import save_checkpoint
from smpler_model.config import SMPLER_NANO
from smpler_model.models import build_model
from smpler_model.parameters import check_values
from smpler_ros.offline.bag_run import Summary, evaluate_bag
from smpler_ros.offline.config import USUAL_OUTPUTS, EvaluationConfig
from smpler_ros.offline.engine import Engine
from smpler_ros.offline.scene_bag import SceneBagConfig, write_scene_bag


def measure(bag: Path, folder: Path, config: EvaluationConfig) -> tuple[float, Summary]:
    """Return the time of a run with everything loaded, seconds, and its summary."""
    engine = Engine(config)
    evaluate_bag(bag, folder / "warm_up", config, engine)
    start = time.perf_counter()
    summary = evaluate_bag(bag, folder / "run", config, engine)
    return time.perf_counter() - start, summary


def main() -> None:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the bag")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = []
    lines = [
        "| output | images | images/s | steps ms | all ms | overhead |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bag, checkpoint = folder / "bag", folder / "nano.pt"
        body = load_builtin_body()
        torch.manual_seed(0)
        save_checkpoint(build_model(SMPLER_NANO, body), checkpoint)
        write_scene_bag(bag, Body(body), SceneBagConfig(duration_s=arguments.seconds, rate_hz=10))
        values = check_values(
            {
                "model": str(checkpoint),
                "threads": arguments.threads,
                "backend": arguments.backend,
                "device": "cpu",
            }
        )
        usual = EvaluationConfig(values=values, boxes="truth")
        cases = {
            "people, tf": replace(usual, outputs=("people", "tf"), truth=""),
            "usual (meshes, skeletons)": replace(usual, outputs=USUAL_OUTPUTS),
        }
        for index, (title, config) in enumerate(cases.items()):
            seconds, summary = measure(bag, folder / str(index), config)
            frames, steps_ms = summary["frames"], summary["latency_ms"]["together"]["mean"]
            all_ms = 1e3 * seconds / frames
            overhead = all_ms / steps_ms - 1
            lines.append(
                f"| {title} | {frames} | {frames / seconds:.1f} | {steps_ms:.1f} | {all_ms:.1f} "
                f"| {100 * overhead:.1f} % |"
            )
            results.append({"output": title, "overhead": overhead, "summary": summary})
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
