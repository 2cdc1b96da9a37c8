"""Disk space that the set-up needs: stated and checked before it is used."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from set_up_steps import SetUpError

GB = 1e9
# Of `.venv` with PyTorch's build for CPUs, and what its build for NVIDIA GPUs takes in addition,
# by the files in the wheels that constraints.txt pins.
ALL_GB, LESS_GB, CUDA_GB = 2.6, 1.9, 4.0
HOW_TO_TAKE_LESS = 'docs/workspace.md says under "Disk space" how to take less'


@dataclass(frozen=True)
class Installation:
    """What is installed.

    Attributes:
        less: whether the packages are left out that running does not need.
        cuda: whether PyTorch's build is that for NVIDIA GPUs.
    """

    less: bool
    cuda: bool

    @property
    def gigabytes(self) -> float:
        """Size of `.venv`, GB."""
        return (LESS_GB if self.less else ALL_GB) + (CUDA_GB if self.cuda else 0.0)


def read_less(value: str, remembered: Path) -> bool:
    """Return whether less is to be installed; without a value, as the last time.

    Args:
        value: of the variable LESS: 1, 0 or empty.
        remembered: file with the value of the last time.

    Raises:
        SetUpError: another value.
    """
    value = value.strip() or (remembered.read_text() if remembered.exists() else "0")
    if value not in ("0", "1"):
        raise SetUpError(f"LESS must be 1 or 0, got '{value}'; run make with LESS=1 or without it")
    return value == "1"


def finds_cuda(python: Path, constraints: Path) -> bool:
    """Return whether the PyTorch that pip finds is built for NVIDIA GPUs; nothing is installed.

    Builds for CPUs have a version such as 2.13.0+cpu. Where pip finds no PyTorch at all, it is
    taken to be the larger one: installing it will say what is wrong.
    """
    command = [str(python), "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"]
    command += ["--ignore-installed", "--report", "-", "--constraint", str(constraints), "torch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        (torch,) = json.loads(done.stdout)["install"]
    except ValueError:
        return True
    return "+cpu" not in torch["metadata"]["version"]


def announce(installation: Installation, folder: Path) -> None:
    """Say how much of the disk is taken, and how to take less.

    Raises:
        SetUpError: there is less room.
    """
    free = shutil.disk_usage(folder).free / GB
    needed = installation.gigabytes
    gpus = f", {CUDA_GB:.1f} GB of it for NVIDIA GPUs" if installation.cuda else ""
    if free < needed:
        raise SetUpError(
            f"expected {needed:.1f} GB free in {folder}{gpus}, found {free:.1f} GB; make room, or "
            f"take less: {HOW_TO_TAKE_LESS}"
        )
    print(
        f"set-up: .venv will take {needed:.1f} GB{gpus}; {free:.0f} GB are free, and "
        f"{HOW_TO_TAKE_LESS}",
        flush=True,
    )
