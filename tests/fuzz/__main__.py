"""Try more inputs than the tests do, or repeat one."""

import argparse
import sys

from tests.fuzz.trial import COUNT, find_target, try_target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", help="module and function, such as calibrations:camera_info")
    parser.add_argument(
        "--count", type=int, default=COUNT, help=f"number of inputs; default: {COUNT}"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="random seed of the inputs; default: 0"
    )
    parser.add_argument("--only", type=int, help="try only the input of this number, and print it")
    chosen = parser.parse_args()
    first, count = (0, chosen.count) if chosen.only is None else (chosen.only, 1)
    if chosen.only is not None:
        print(repr(find_target(chosen.target).input(chosen.seed, chosen.only))[:10_000])
    faults = try_target(chosen.target, count=count, seed=chosen.seed, first=first)
    for fault in faults:
        print(f"input {fault.index}: {fault.text}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
