"""How much of the disk the set-up says that it takes."""

import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import set_up_sizes  # noqa: E402
from set_up_sizes import Installation, announce, finds_cuda, read_less  # noqa: E402
from set_up_steps import SetUpError  # noqa: E402


def write_torch(folder: Path, version: str) -> None:
    """Write a wheel of PyTorch that holds nothing but its name and version."""
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.mark.parametrize(
    ("versions", "expected"),
    [(["2.13.0"], True), (["2.13.0", "2.13.0+cpu"], False), ([], True)],
    ids=["GPU", "both", "none"],
)
def test_the_build_that_pip_would_install(
    versions: list[str], expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("torch==2.13.0\n")
    for version in versions:
        write_torch(tmp_path, version)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert finds_cuda(Path(sys.executable), constraints) == expected


def test_less_is_remembered(tmp_path: Path) -> None:
    remembered = tmp_path / "less"
    assert [read_less(value, remembered) for value in ("", "0", "1")] == [False, False, True]
    remembered.write_text("1")
    assert [read_less(value, remembered) for value in ("", "0")] == [True, False]
    with pytest.raises(SetUpError, match="LESS must be 1 or 0, got 'yes'"):
        read_less("yes", remembered)


def test_the_room_is_said_before_it_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(Installation(less=True, cuda=True), tmp_path)
    line = capsys.readouterr().out
    assert line.startswith("set-up: .venv will take ")
    assert line.count("\n") == 1
    assert "for NVIDIA GPUs" in line
    announce(Installation(less=True, cuda=False), tmp_path)
    assert "GPU" not in capsys.readouterr().out


def test_too_little_room_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_up_sizes, "ALL_GB", 1e6)
    with pytest.raises(SetUpError, match=r"expected 1000000\.0 GB free in .*, found .*make room"):
        announce(Installation(less=False, cuda=False), tmp_path)


@pytest.mark.slow
def test_the_sizes_are_those_of_this_environment() -> None:
    """Measured as `du` does; PyTorch's two builds differ in what only one machine can show."""
    venv = Path(sys.prefix)
    remembered = venv / "set_up.less"
    if not (venv / "set_up.stamp").is_file():
        pytest.skip("needs what `make setup` makes")
    kilobytes = subprocess.run(["du", "-sk", venv], capture_output=True, text=True, check=True)
    gigabytes = int(kilobytes.stdout.split()[0]) * 1024 / set_up_sizes.GB
    cuda = "+cpu" not in importlib.metadata.version("torch")
    installation = Installation(read_less("", remembered), cuda)
    assert gigabytes == pytest.approx(installation.gigabytes, rel=0.15)


def test_the_pages_say_the_same() -> None:
    everything, less, cuda = (
        f"{size:.1f} GB"
        for size in (set_up_sizes.ALL_GB, set_up_sizes.LESS_GB, set_up_sizes.CUDA_GB)
    )
    workspace = (ROOT / "docs" / "workspace.md").read_text()
    section = workspace.split("\n## Disk space\n")[1].split("\n## ")[0]
    assert [size for size in (everything, less, cuda) if size not in section] == []
    readme = (ROOT / "README.md").read_text().split("\n## Set-up\n")[1].split("\n## ")[0]
    assert everything in readme
    assert f"{set_up_sizes.ALL_GB + set_up_sizes.CUDA_GB:.1f} GB" in readme
