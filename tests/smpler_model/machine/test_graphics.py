import sys
from pathlib import Path

import pytest
import torch

from smpler_model.machine.graphics import Card, check_gpu, find_cards, runs_on

ROW = "NVIDIA H100 80GB HBM3, 535.104.05, 81559 MiB"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of nvidia-smi."""
    path = tmp_path / "nvidia-smi"
    path.write_text(f"#!/bin/sh\necho '{ROW}'\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return path


def test_cards_are_read(driver: Path) -> None:
    assert find_cards() == [Card("NVIDIA H100 80GB HBM3", "535.104.05", "81559 MiB")]


def test_no_driver_no_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, driver: Path) -> None:
    driver.write_text(
        "#!/bin/sh\necho 'has failed because it could not talk to the driver'\nexit 9\n"
    )
    assert find_cards() == []
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert find_cards() == []


@pytest.mark.skipif(torch.version.cuda is not None, reason="needs a PyTorch for the CPU")
def test_a_card_and_a_pytorch_for_the_cpu(driver: Path) -> None:
    finding = check_gpu()
    assert finding.state.startswith("NVIDIA H100 80GB HBM3, driver 535.104.05")
    assert "this PyTorch is for the CPU only; install a CUDA build" in finding.problem


CUDA_TORCH = """
import warnings
from types import SimpleNamespace as N

def is_available():
    warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old (found 12020)")
    return False

version = N(cuda="13.0")
cuda = N(is_available=is_available)
"""


@pytest.mark.parametrize("has_card", [True, False])
def test_a_driver_that_is_too_old(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_card: bool
) -> None:
    """A PyTorch that says what one for CUDA says beside an old driver."""
    if not has_card:
        driver.unlink()
    (tmp_path / "torch.py").write_text(CUDA_TORCH)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch")
    finding = check_gpu()
    assert "driver on your system is too old (found 12020)" in finding.state
    assert ("update the driver to one for CUDA 13.0" in finding.problem) == has_card
    assert ("install NVIDIA's driver" in finding.hint) != has_card


TWO_CARDS = """
from types import SimpleNamespace as N

NAMES, SIZES = ["NVIDIA H100", "NVIDIA T4"], [80, 16]
GIB = 2**30
version = N(cuda="13.0")
backends = N(cudnn=N(version=lambda: 91000))
cuda = N(
    is_available=lambda: True,
    device_count=lambda: 2,
    get_device_name=lambda index: NAMES[index],
    get_device_capability=lambda index: [(9, 0), (7, 5)][index],
    get_arch_list=lambda: ["sm_90"],
    mem_get_info=lambda index: (GIB, SIZES[index] * GIB),
)

def zeros(count, device):
    return N(item=lambda: NAMES[int(device.removeprefix("cuda:"))])
"""


@pytest.mark.parametrize(
    ("device", "words", "is_well"),
    [
        ("auto", "; cuda:0 is NVIDIA H100, compute capability 9.0, cuDNN 91000, 1.0 of 80", True),
        ("cuda", "; cuda:0 is NVIDIA H100", True),
        ("cuda:1", "; cuda:1 is NVIDIA T4, compute capability 7.5, cuDNN 91000, 1.0 of 16", False),
        ("cuda:9", "; cuda:0 is NVIDIA H100", True),
    ],
)
def test_the_card_that_was_asked_for_is_described(
    *,
    driver: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    words: str,
    is_well: bool,
) -> None:
    (tmp_path / "torch.py").write_text(TWO_CARDS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch")
    finding = check_gpu(device)
    assert words in finding.state
    assert (finding.problem == "") == is_well  # of the other there are no kernels


@pytest.mark.parametrize(
    ("architectures", "capability", "expected"),
    [
        (["sm_80", "sm_90"], (9, 0), True),
        (["sm_80", "sm_86"], (8, 9), True),
        (["sm_90"], (8, 0), False),
        (["sm_80"], (9, 0), False),
        (["sm_80", "compute_80"], (12, 0), True),
        (["sm_120", "sm_100"], (12, 0), True),
        (["sm_90a", "sm_120f"], (9, 0), True),
        (["sm_75"], (6, 1), False),
        ([], (9, 0), False),
    ],
)
def test_kernels_fit_a_card(
    architectures: list[str], capability: tuple[int, int], expected: bool
) -> None:
    assert runs_on(architectures, *capability) == expected
