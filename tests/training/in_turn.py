"""Runs commands of this project one after another in each process that torchrun's launcher starts.

The processes are forked, as starting Python and importing PyTorch takes longer than a small
training.
"""

import importlib
import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest
import torch.distributed as dist
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


def main() -> int:
    """Run the commands in the JSON file that is named in two processes."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",
        monitor_interval=0.1,
    )
    statuses = elastic_launch(config, run_all)(sys.argv[1])
    return max(statuses.values())


def run_all(path: str) -> int:
    """Run the commands in a JSON file; return the first status that is not 0."""
    join = dist.init_process_group
    for turn, command in enumerate(json.loads(Path(path).read_text())):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", command)
            if turn:  # torchrun's store still has the addresses of the group before
                patch.setattr(dist, "init_process_group", partial(join, **own_store(turn)))
            if status := importlib.import_module(command[0]).main():
                return int(status)
    return 0


def own_store(turn: int) -> dict[str, object]:
    """Return how to join a further group of torchrun's processes."""
    environment = os.environ
    address, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    return {
        "store": dist.PrefixStore(f"turn {turn}", dist.TCPStore(address, port, is_master=False)),
        "rank": int(environment["RANK"]),
        "world_size": int(environment["WORLD_SIZE"]),
    }


if __name__ == "__main__":
    sys.exit(main())
