"""People in the fixed frame, seen by a moving robot: `python -m benchmarks.world`.

A robot turns by 90 degrees in 2 s and drives at 0.5 m/s past three standing people, and past one
who stands and then walks at 1.2 m/s. Its images and its transforms go to the node over real
topics, and the node's people come back; their distance comes from depth, from a floor that is
known or found from feet, or from an assumed size (`--sources`). Each image is sent after the
answer to the last, so that the figures do not depend on the machine.

Printed are the errors of positions and horizontal velocities in the fixed frame, from one second
after a person was first seen or set off, with the parameter `fixed_frame` and without it, where
the floor is not known. Without it there is no velocity: positions in the camera's frame are put
into the world by the camera's true pose, and their differences over four images taken. `floor m`
is the error of the camera's height above the floor, in the images from the first one on in which
it is known. Then the cost of the fixed frame on the CPU.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from benchmarks.timing import describe_machine, format_table, write_results
from benchmarks.world.figures import Row, compare, shots_of
from benchmarks.world.scene import BASE_FROM_CAMERA, FRAME, Kind, RobotPath, RobotScene
from benchmarks.world.topics import NEEDS_FIXED_FRAME, Source, ask_node
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.frames import CameraPose
from smpler_model.people.smoothing import Bodies
from smpler_model.people.world_filter import MeasuredPelvises, WorldFilter
from smpler_ros.demo.demo import set_fast_dds_profile

_REPETITIONS = 300
_COUNTS = (1, 4, 16)
_HEAD = (
    *("people", "seed", "distance by", "estimate", "position m: median", "p95", "largest"),
    *("velocity m/s: median", "p95", "largest", "ids", "of", "lag s"),
    *("floor m", "known after s"),
)


def measure_cost(people: int) -> float:
    """Return the CPU time of the filters for one image with this many people, milliseconds."""
    world, ids = WorldFilter(), np.arange(people)
    pose = CameraPose("map", RobotPath().world_from_base(0.0) @ BASE_FROM_CAMERA)
    rotations = np.broadcast_to(np.eye(3), (people, 24, 3, 3)).copy()
    places = np.tile((0.0, 0.0, 3.0), (people, 1))
    bodies = Bodies(rotations, np.zeros((people, 10)), places)
    noise = np.broadcast_to(0.01 * np.eye(3), (people, 3, 3))
    measured = MeasuredPelvises(places, noise, noise, np.ones(people, bool))
    smoothing = _cpu_ms(lambda i: world.smoother.smooth(i * 10**8, ids, bodies))

    def follow(index: int) -> None:
        world.smooth(index * 10**8, ids, bodies, pose)
        world.follow(index * 10**8, ids, measured, rotations[:, 0], pose)

    return _cpu_ms(follow) - smoothing  # without it, rotations are smoothed as well


def _cpu_ms(step: Callable[[int], object]) -> float:
    """Return the median of this thread's time: threads of ROS may still be ending."""
    times = []
    for index in range(1, _REPETITIONS + 1):
        start = time.thread_time()
        step(index)
        times.append(time.thread_time() - start)
    return 1e3 * float(np.median(times))


def print_lines(table: str) -> None:
    """Print lines of a table at once, while the next row is measured."""
    print(table, flush=True)


def line_of(kind: str, seed: int, row: Row) -> str:
    """Return a row of the table of errors."""
    r = row
    estimates = (r.source, r.estimate, *r.position_m, *r.velocity_m_s, r.ids, r.people, r.lag_s)
    floor = (r.floor_m, r.floor_s)
    return format_table(_HEAD, [(kind, seed, *estimates, *floor)]).splitlines()[-1]


def main() -> None:
    """Measure, print tables, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=15.0, help="rate of the images, Hz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the scenes")
    parser.add_argument(
        "--frames", nargs="+", choices=("map", ""), default=["map", ""], help="fixed_frame"
    )
    parser.add_argument(
        "--sources",
        nargs="+",
        choices=get_args(Source),
        default=["depth", "floor"],
        help="sources of people's distance",
    )
    parser.add_argument("--background", choices=("room", "plain"), default="room")
    parser.add_argument("--scenes", nargs="+", choices=get_args(Kind), default=get_args(Kind))
    parser.add_argument(
        "--set", nargs="*", default=[], help="the node's parameters, such as backend:=plain"
    )
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", "88")
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    set_fast_dds_profile()
    body = Body(load_builtin_body())
    rows: dict[str, dict[int, list[Row]]] = {kind: {} for kind in chosen.scenes}
    print_lines(format_table(_HEAD, []))
    for kind, seed in product(chosen.scenes, chosen.seeds):
        scene = RobotScene(body, kind, seed=seed, background=chosen.background)
        shots = shots_of(scene, chosen.rate)
        rows[kind][seed] = []
        for source, fixed_frame in product(chosen.sources, chosen.frames):
            if fixed_frame or source not in NEEDS_FIXED_FRAME:
                answers = ask_node(shots, fixed_frame, source, chosen.set)
                row = compare(scene, kind, source, answers)
                rows[kind][seed].append(row)
                print_lines(line_of(kind, seed, row))
    costs = {people: measure_cost(people) for people in _COUNTS}
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "rate_hz": chosen.rate,
        "rows": {
            kind: {seed: [asdict(row) for row in several] for seed, several in by_seed.items()}
            for kind, by_seed in rows.items()
        },
        "cost_ms": costs,
    }
    cost = format_table(("people", f"ms for {FRAME} to map, CPU"), list(costs.items()))
    write_results(results, f"\n{cost}", chosen.json)


if __name__ == "__main__":
    main()
