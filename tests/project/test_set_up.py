"""The errors of the set-up, each provoked for real, and a run with nothing to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BASE_PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")


def make(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make with some variables set; a variable set to nothing is removed."""
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # of the make that runs the tests
    kept = {name: value for name, value in os.environ.items() if name not in outer}
    kept |= environment
    return subprocess.run(
        ["/usr/bin/env", "make", *arguments],
        cwd=cwd,
        env={name: value for name, value in kept.items() if value},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The inputs of the set-up, without its outputs."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("tools", "smpler_msgs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def assert_one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check that a run failed with one sentence that has the words, and no traceback."""
    assert result.returncode != 0
    sentences = [line for line in result.stderr.splitlines() if line.startswith("set-up: ")]
    assert len(sentences) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in sentences[0]


def test_nothing_is_done_twice() -> None:
    result = make("setup", f"PYTHON={BASE_PYTHON}", cwd=ROOT)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("command", ["smpler info", "evaluate_bag", "synthetic_bag"])
def test_commands_work_from_any_folder(command: str, tmp_path: Path) -> None:
    program, *words = command.split()
    path = Path(sys.prefix) / "bin" / program
    result = subprocess.run(
        [path, *words, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith(f"usage: {command}")


def test_no_compiler(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    programs = tmp_path_factory.mktemp("programs")
    for name in ("make", "bash", "sh", "env"):
        (programs / name).symlink_to(shutil.which(name) or name)
    result = make("setup", f"PYTHON={BASE_PYTHON}", cwd=clone, PATH=str(programs), CXX="")
    assert_one_sentence(result, "C++ compiler", "sudo apt install g++")


def test_no_python(clone: Path) -> None:
    result = make("setup", "PYTHON=/nowhere/python3", cwd=clone)
    assert_one_sentence(result, "Python 3.10 or newer", "PYTHON=")


def test_old_python(clone: Path) -> None:
    names = ["python3.9", "python3.8", "python3.7", "python3.6", "python2"]
    found = [name for name in names if shutil.which(name)]
    works = [
        name
        for name in found
        if subprocess.run([name, "-V"], capture_output=True, check=False).returncode == 0
    ]
    if not works:
        pytest.skip("there is no Python older than 3.10 on this machine")
    result = make("setup", f"PYTHON={works[0]}", cwd=clone)
    assert_one_sentence(result, "Python 3.10 or newer", "Python ", "PYTHON=")


def test_offline(clone: Path) -> None:
    result = make(
        "setup",
        f"PYTHON={BASE_PYTHON}",
        cwd=clone,
        PIP_CONFIG_FILE="/dev/null",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_FIND_LINKS="",
        PIP_EXTRA_INDEX_URL="",
        PIP_NO_CACHE_DIR="1",
        ROS_DISTRO="",
    )
    assert_one_sentence(result, "package index", "PIP_INDEX_URL")
    assert not (clone / ".venv" / "set_up.stamp").exists()


def test_sourced_ros_that_this_python_cannot_import(clone: Path) -> None:
    result = make(
        "setup", f"PYTHON={BASE_PYTHON}", cwd=clone, ROS_DISTRO="jazzy", PYTHONPATH="/nowhere"
    )
    assert_one_sentence(result, "ROS_DISTRO is jazzy", "PYTHON=")


def test_what_less_takes_is_said_before_it_is_taken(clone: Path) -> None:
    """With an index that has pip alone, so that nothing large is installed."""
    index = clone / "index"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(index),
    ]
    constraints = ["--constraint", str(clone / "constraints.txt")]
    if subprocess.run([*command, *constraints, "pip"], check=False).returncode:
        pytest.skip("needs the Python package index")
    result = make(
        "setup",
        "LESS=1",
        f"PYTHON={BASE_PYTHON}",
        cwd=clone,
        PIP_CONFIG_FILE="/dev/null",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(index),
        PIP_EXTRA_INDEX_URL="",
        ROS_DISTRO="",
    )
    said, _, rest = result.stdout.partition("set-up: installing")
    assert "set-up: .venv will take " in said
    assert "GB of it for NVIDIA GPUs" in said
    assert rest
    assert_one_sentence(result, "pip could not install the pinned packages")
    assert (clone / ".venv" / "set_up.less").read_text() == "1"


def test_a_wrong_value_of_less(clone: Path) -> None:
    result = make("setup", "LESS=yes", f"PYTHON={BASE_PYTHON}", cwd=clone, ROS_DISTRO="")
    assert_one_sentence(result, "LESS must be 1 or 0, got 'yes'")
