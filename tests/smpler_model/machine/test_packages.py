import sys
from pathlib import Path

import pytest

from smpler_model.machine.packages import check_onnxruntime, check_python, check_torch


@pytest.fixture
def shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules come before the installed ones."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("torch", "onnxruntime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("version", "is_fine"), [((3, 9), False), ((3, 10), True), ((3, 13), True)]
)
def test_python(version: tuple[int, int], is_fine: bool) -> None:
    assert (check_python(version).problem == "") == is_fine


def test_what_is_installed_is_fine() -> None:
    for finding in (check_python(), check_torch(), check_onnxruntime(on_gpu=False)):
        assert finding.problem == "", finding


@pytest.mark.parametrize(
    ("text", "state", "remedy"),
    [
        (
            "raise ImportError('libcudart.so.12: cannot open shared object file')",
            "does not import: libcudart.so.12",
            "make setup",
        ),
        ("raise OSError()", "does not import: OSError", "make setup"),
        (
            "from types import SimpleNamespace\n__version__ = '2.1.0'\n"
            "version = SimpleNamespace(cuda=None)",
            "2.1.0, for the CPU only",
            "pip install --upgrade torch",
        ),
    ],
)
def test_a_pytorch_that_cannot_be_used(shadow: Path, text: str, state: str, remedy: str) -> None:
    (shadow / "torch.py").write_text(text)
    finding = check_torch()
    assert finding.state.startswith(state)
    assert remedy in finding.problem


def test_an_onnx_runtime_that_does_not_import(shadow: Path) -> None:
    (shadow / "onnxruntime.py").write_text("raise RuntimeError('module compiled for NumPy 1.x')")
    finding = check_onnxruntime(on_gpu=False)
    assert finding.state == "does not import: module compiled for NumPy 1.x"
    assert "pip install --upgrade" in finding.problem


@pytest.mark.parametrize(("on_gpu", "hint"), [(True, "onnxruntime-gpu"), (False, "")])
def test_an_onnx_runtime_for_the_cpu(on_gpu: bool, hint: str) -> None:
    finding = check_onnxruntime(on_gpu=on_gpu)
    assert "CPU" in finding.state
    assert hint in finding.hint
    assert bool(finding.hint) == on_gpu
