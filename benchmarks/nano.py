"""Frames a second of smpler_nano on a CPU: `python -m benchmarks.nano`.

Speed does not depend on the weights: fresh ones serve where none are shipped.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from smpler_model.builtin_body import load_builtin_body
from smpler_model.config import SMPLER_NANO
from smpler_model.models import build_model
from smpler_model.network import Smpler

WARM_UP, RUNS = 5, 60


def time_model(model: Smpler, batch: int, mesh: bool) -> float:
    """Return the median time of a forward pass, seconds."""
    side = model.config.image_size
    images = torch.zeros(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(WARM_UP + RUNS):
            start = time.perf_counter()
            model(images, mesh=mesh)
            times.append(time.perf_counter() - start)
    return float(np.median(times[WARM_UP:]))


def main() -> None:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description="Frames a second of smpler_nano on a CPU.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = build_model(SMPLER_NANO, load_builtin_body()).eval()
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    results = []
    lines = [
        f"{SMPLER_NANO.name}, {arguments.threads} threads, {platform.machine()}, eager",
        "| batch | output | ms | people/s |",
        "|---|---|---|---|",
    ]
    for batch in (1, 4):
        for mesh in (False, True):
            seconds = time_model(model, batch, mesh)
            output = "mesh" if mesh else "joints"
            lines.append(f"| {batch} | {output} | {1e3 * seconds:.1f} | {batch / seconds:.1f} |")
            results.append({"batch": batch, "output": output, "seconds": seconds})
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.json:
        record = {"model": SMPLER_NANO.name, "threads": arguments.threads, "results": results}
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
