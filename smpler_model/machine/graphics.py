"""NVIDIA's cards, their driver, and whether PyTorch can use them."""

import importlib
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smpler_model.machine.finding import Finding

_NAME = "GPU"
_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
_TIMEOUT_S = 20
_BUILDS = "install a CUDA build of torch and torchvision: https://pytorch.org/get-started"
_TEGRA = Path("/etc/nv_tegra_release")


@dataclass(frozen=True)
class Card:
    """A card as its driver names it."""

    name: str
    driver: str
    memory: str


def find_cards() -> list[Card]:
    """Return what `nvidia-smi` lists; nothing where there is no such program or no driver."""
    if shutil.which(_QUERY[0]) is None:
        return []
    try:
        done = subprocess.run(
            _QUERY, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(", ") for line in done.stdout.splitlines()]
    return [Card(*row) for row in rows if len(row) == len(Card.__dataclass_fields__)]


def check_gpu(device: str = "cuda") -> Finding:
    """Return which GPU PyTorch uses, or why it uses none.

    Args:
        device: as in the settings; cuda:N is described if it is there, else the first GPU.
    """
    cards = find_cards()
    listed = "; ".join(f"{card.name}, driver {card.driver}, {card.memory}" for card in cards)
    try:
        torch: Any = importlib.import_module("torch")
    except Exception:  # said by `packages.check_torch`
        return Finding(_NAME, listed or "not looked for, as PyTorch does not import")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        available: bool = torch.cuda.is_available()
    if available:
        return _describe(torch, listed, _index(device, torch.cuda.device_count()))
    if torch.version.cuda is None:
        if not cards and not _TEGRA.exists():
            return Finding(_NAME, "none: the network runs on the CPU")
        return Finding(
            _NAME, listed or "a Jetson's", f"this PyTorch is for the CPU only; {_BUILDS}"
        )
    reason = str(said[-1].message).partition("\n")[0] if said else "CUDA finds no device"
    if not cards:
        return Finding(
            _NAME,
            f"none that a driver knows ({reason})",
            hint="if there is a card, install NVIDIA's driver; `nvidia-smi` must list it, in a "
            "container, too (docker run --gpus all)",
        )
    return Finding(
        _NAME,
        f"{listed}; PyTorch cannot use it: {reason}",
        f"update the driver to one for CUDA {torch.version.cuda} or newer, or {_BUILDS}; a "
        "container needs --gpus all",
    )


def _index(device: str, count: int) -> int:
    """Return the number of the GPU that a setting means, of so many."""
    number = device.removeprefix("cuda:")
    return int(number) if number.isdecimal() and int(number) < count else 0


def _describe(torch: Any, listed: str, index: int) -> Finding:  # noqa: ANN401 - imported where it exists
    name: str = torch.cuda.get_device_name(index)
    major, minor = torch.cuda.get_device_capability(index)
    if torch.cuda.device_count() > 1:  # PyTorch's order may be another than the driver's
        listed = f"{listed + '; ' if listed else ''}cuda:{index} is {name}"
    state = f"{listed or name}, compute capability {major}.{minor}, cuDNN {_cudnn(torch)}"
    problem = ""
    if not runs_on(torch.cuda.get_arch_list(), major, minor):
        problem = f"this PyTorch has no kernels for compute capability {major}.{minor}; {_BUILDS}"
    try:
        torch.zeros(1, device=f"cuda:{index}").item()
        free, total = (size / 2**30 for size in torch.cuda.mem_get_info(index))
        state += f", {free:.1f} of {total:.1f} GiB free"
    except Exception as error:  # no room, or another process has the card for itself
        first = str(error).strip().partition("\n")[0]
        problem = problem or (
            f"the card cannot be used ({first}); end the programs that `nvidia-smi` lists"
        )
    return Finding(_NAME, state, problem)


def runs_on(architectures: list[str], major: int, minor: int) -> bool:
    """Return whether a build of PyTorch has kernels for a card.

    Args:
        architectures: as `torch.cuda.get_arch_list` gives them, such as sm_90 and compute_120.
        major: the card's compute capability.
        minor: likewise.
    """
    for text in architectures:
        kind, _, digits = text.partition("_")
        digits = digits.rstrip("af")  # of kernels for one architecture or its family alone
        if not digits.isdigit():
            continue
        built = divmod(int(digits), 10)
        if kind == "compute" and built <= (major, minor):  # compiled on the card
            return True
        if kind == "sm" and built[0] == major and built[1] <= minor:
            return True
    return False


def _cudnn(torch: Any) -> str:  # noqa: ANN401
    number: int | None = torch.backends.cudnn.version()
    return "is missing" if number is None else str(number)
