"""`make gpu` where there is nothing to measure, and what it looks for."""

import os
import subprocess
import sys
import time
from importlib.metadata import distributions, packages_distributions, requires
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import gpu  # noqa: E402
import gpu_packages  # noqa: E402

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
    assert gpu.find_missing(sys.executable, gpu.NEEDED | gpu.FOR_FRAMES) == []


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages: one of each kind that others need."""
    for name, version, *needs in (
        ("Tester", "2.0", "colours>=2", "old_python; python_version<'3'", "exotic; extra=='all'"),
        ("colours", "1.5"),  # too old
        ("vision", "1.0", "torch>=2", "numpy>=9", "pictures", "client[quick]~=1.1"),
        ("numpy", "1.26"),
        ("client", "1.1", "fast-client>=3,<5; extra=='quick'", "nvidia-cudnn"),
        ("frames", "1.0", "opencv-python", "fast_client!=4.1"),
    ):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    return tmp_path


def test_what_packages_need_is_missing_too(site: Path) -> None:
    """But for PyTorch, and the NumPy that it was built for."""
    roots = [("json", "tester"), ("json", "Vision"), ("json", "frames"), ("no_module", "new")]
    missing = gpu_packages.find_missing(roots, [str(site)])
    assert missing == ["colours>=2", "fast-client!=4.1,<5,>=3", "new", "pictures"]


@pytest.mark.parametrize(
    ("torch_version", "requirement"),
    [("2.13.0+cu130", "torchvision==0.28.*"), ("2.4.1", "torchvision==0.19.*")],
)
def test_torchvision_is_the_one_for_this_torch(
    tmp_path: Path, torch_version: str, requirement: str
) -> None:
    folder = tmp_path / "torch-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: torch\nVersion: {torch_version}\n\n")
    roots = [("no_such_module", "torchvision")]
    assert gpu_packages.find_missing(roots, [str(tmp_path)]) == [requirement]


def test_one_package_that_cannot_be_had_keeps_no_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "names = sys.argv[sys.argv.index('--target') + 2 :]\n"
        "if 'lost' in names:\n"
        "    sys.exit('a page of advice\\nno lost found')\n"
        "Path(sys.argv[0]).with_name('had').open('a').write(' '.join(names) + '\\n')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert gpu.install(sys.executable, ["first", "lost", "last"]) == "no lost found"
    assert (tmp_path / "had").read_text().split() == ["first", "last"]


def test_the_first_round_needs_nothing_to_read_requirements(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_packages, "_import_packaging", lambda: None)
    roots = [("json", "tester"), ("no_module", "packaging")]
    assert gpu_packages.find_missing(roots, [str(site)]) == ["packaging"]


ALLOWS = """
import sys
from importlib.abc import MetaPathFinder

class Refuses(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuses())
import pytest
import benchmarks.gpu, benchmarks.detectors, benchmarks.pipeline, benchmarks.training_step
import synthetic.crops, training.data.crop_files, training.settings
sys.exit(pytest.main(["--collect-only", "-p", "no:cacheprovider", "tests/gpu"]))
"""


@pytest.mark.slow
def test_nothing_else_is_imported() -> None:
    """With what is installed and PyTorch alone, the benchmarks import and the tests are found."""
    allowed, waiting = set[str](), [*gpu.NEEDED.values(), *gpu.FOR_FRAMES.values(), "torch"]
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name not in allowed and find_distributions(name):
            allowed.add(name)
            waiting += [
                text
                for text in requires(name) or ()
                if (marker := Requirement(text).marker) is None or marker.evaluate({"extra": ""})
            ]
    refused = {
        module
        for module, names in packages_distributions().items()
        if not allowed & {canonicalize_name(name) for name in names}
        and not (ROOT / module).is_dir()  # this package's own
    }
    assert {"onnxruntime", "smplx"} <= refused
    done = subprocess.run(
        [sys.executable, "-c", f"REFUSED = {refused!r}\n{ALLOWS}"],
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/gpu/test_frames.py" in done.stdout


def find_distributions(name: str) -> bool:
    return any(True for _ in distributions(name=name))


DYING_S = 10.0

SLOW_TESTS = """
import time

def test_quick():
    assert True

def test_slow():
    time.sleep(60)
"""


def test_tests_that_take_too_long_write_what_they_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    (tmp_path / "test_these.py").write_text(SLOW_TESTS)
    results = tmp_path / "tests.xml"
    options = ("--junit-xml", str(results), "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    assert gpu.run(sys.executable, 12, "pytest", *options, str(tmp_path)) == 124
    assert "pytest was ended after 12 s" in capsys.readouterr().out
    assert 'name="test_quick"' in results.read_text()


def test_what_does_not_end_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stubborn.py").write_text(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "open('started', 'w').write(str(subprocess.Popen(['sleep', '60']).pid))\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    monkeypatch.setattr(gpu, "GRACE_S", 0.2)
    assert gpu.run(sys.executable, 6, "stubborn") == 124
    pid = int((tmp_path / "started").read_text())
    end = time.monotonic() + DYING_S
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that was killed may do so for a moment."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_run_within_its_time() -> None:
    assert gpu.run(sys.executable, 20, "json.tool", "--help") == 0
