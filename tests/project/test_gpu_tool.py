"""`make gpu` where there is nothing to measure, and what it looks for."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import gpu  # noqa: E402

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def run_tool() -> str:
    """Run it as `make` does; return the one line that it prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools/gpu.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.slow
def test_without_a_gpu_it_ends_with_a_sentence() -> None:
    assert run_tool().startswith("gpu: expected an NVIDIA GPU, found none; run `make gpu` on a ")
    assert not (ROOT / "gpu.json").exists()


@pytest.mark.slow
def test_a_gpu_that_pytorch_cannot_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA Jetson'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "expected a PyTorch that can use this machine's GPU, found none" in run_tool()


def test_packages_are_looked_for_by_their_modules() -> None:
    modules = {"json": "json", "no_such_module": "no-such-distribution"}
    assert gpu.find_missing(sys.executable, modules) == ["no-such-distribution"]
    assert gpu.find_missing(sys.executable, {**gpu.NEEDED, **gpu.FOR_FRAMES}) == []


def test_a_run_that_takes_too_long_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.run(sys.executable, 0.5, "http.server", "--bind", "127.0.0.1", "0") == 124
    assert "http.server was ended after 0 s" in capsys.readouterr().out
    assert gpu.run(sys.executable, 20, "json.tool", "--help") == 0
