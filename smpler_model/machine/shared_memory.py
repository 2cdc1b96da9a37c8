"""Shared memory, through which Fast DDS passes images and PyTorch's data loaders pass batches."""

import shutil
from pathlib import Path

from smpler_model.machine.finding import Finding

SHARED_MEMORY = Path("/dev/shm")
LEAST_FREE = 80 * 2**20
"""With config/fastdds.xml each process that publishes images takes 64 MiB, Docker's default."""


def check_shared_memory(folder: Path = SHARED_MEMORY, least_free: int = LEAST_FREE) -> Finding:
    """Return whether there is room in shared memory.

    Args:
        folder: where it is mounted.
        least_free: free bytes below which images would not get through.
    """
    name = "shared memory"
    if not folder.is_dir():
        return Finding(name, f"no {folder}: images go through sockets")
    usage = shutil.disk_usage(folder)
    state = f"{usage.free / 2**20:.0f} of {usage.total / 2**20:.0f} MiB free in {folder}"
    if usage.free >= least_free:
        return Finding(name, state)
    return Finding(
        name,
        state,
        f"at least {least_free / 2**20:.0f} MiB must be free: start the container with --ipc host "
        f"or --shm-size 1g, or delete what ended programs left in {folder}",
    )
