"""`make gpu`: the tests of a GPU, then the benchmarks, into `gpu.json`.

It takes the PyTorch that is there: that of `.venv`, or else of the Python that runs this file, so
that a machine with PyTorch and little else will do. Packages that such a Python lacks, and what
these need in turn, go into `.gpu`, each for itself, so that pip leaves its PyTorch alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".gpu"
SITE, TESTS, RESULTS = FOLDER / "site", FOLDER / "tests.xml", ROOT / "gpu.json"
TESTS_LIMIT_S, BENCHMARKS_LIMIT_S, GRACE_S = 210, 240, 10
LAST_PART_S = 200
"""Eight minutes in all. After these seconds no further part of the benchmarks is begun."""

NEEDED = {
    "cv2": "opencv-python-headless",
    "hypothesis": "hypothesis",
    "numpy": "numpy",
    "packaging": "packaging",
    "pytest": "pytest",
    "scipy": "scipy",
    "timm": "timm",
    "torchvision": "torchvision",
    "tqdm": "tqdm",
    "yaml": "pyyaml",
}
FOR_FRAMES = {"supervision": "supervision", "trackers": "trackers"}
"""Tracking needs these; without them whole frames are left out.

What either list needs in turn is read from the packages themselves, by `gpu_packages`.
"""

_ROUNDS = 8  # of installing what was installed before needs: five beside a bare PyTorch

_SEES_GPU = "import sys, torch; sys.exit(not torch.cuda.is_available())"


class GpuError(Exception):
    """The run is impossible; the message is one sentence."""


def main() -> int:
    """Run the tests and the benchmarks; return the exit status."""
    try:
        python = find_python()
        install_missing(python)
    except GpuError as error:
        print(f"gpu: {error}", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    TESTS.unlink(missing_ok=True)
    RESULTS.unlink(missing_ok=True)
    print(f"gpu: tests, with {python}", flush=True)
    tests = run(python, TESTS_LIMIT_S, "pytest", "tests/gpu", f"--junit-xml={TESTS}", *_OPTIONS)
    print("gpu: benchmarks", flush=True)
    given = ["--tests", str(TESTS)] if TESTS.is_file() else []
    limit = ["--limit", str(LAST_PART_S)]
    done = run(
        python, BENCHMARKS_LIMIT_S, "benchmarks.gpu", "--json", str(RESULTS), *limit, *given
    )
    if RESULTS.is_file():
        print(f"gpu: please send {RESULTS.name}, also if tests failed", flush=True)
    return tests or done


_OPTIONS = ("-o", "filterwarnings=default", "-p", "no:cacheprovider", "-rfE", "--durations=8")


def find_python() -> str:
    """Return a Python whose PyTorch uses a GPU.

    Raises:
        GpuError: there is none.
    """
    candidates = dict.fromkeys((str(ROOT / ".venv/bin/python"), sys.executable))
    for python in candidates:
        if Path(python).is_file():
            seen = subprocess.run([python, "-c", _SEES_GPU], capture_output=True, check=False)
            if seen.returncode == 0:
                return python
    if shutil.which("nvidia-smi") and _lists_cards():
        raise GpuError(
            "expected a PyTorch that can use this machine's GPU, found none; run `make setup`, "
            "`. .ros/environment.sh` and `python -m smpler_model doctor`, which says why"
        )
    raise GpuError("expected an NVIDIA GPU, found none; run `make gpu` on a machine that has one")


def install_missing(python: str) -> None:
    """Install what a Python lacks into a folder of its own.

    Raises:
        GpuError: what is needed cannot be installed.
    """
    reason = "no reason given"
    last: list[str] = []
    for _ in range(_ROUNDS):
        missing = find_missing(python, NEEDED | FOR_FRAMES)
        if not missing or missing == last:
            break
        print(f"gpu: installing {', '.join(missing)} into {SITE.relative_to(ROOT)}", flush=True)
        reason = install(python, missing) or reason
        last = missing
    still = find_missing(python, NEEDED)
    if still:
        raise GpuError(
            f"expected the packages {', '.join(still)} in {python}, found none and could not "
            f"install them ({reason}); install them there, then run make gpu again"
        )
    for name in find_missing(python, FOR_FRAMES):
        print(f"gpu: without {name}, so whole frames may be left out", flush=True)


def install(python: str, requirements: list[str]) -> str:
    """Install packages without their dependencies; return pip's last words if it fails.

    One that cannot be had does not keep the others out.
    """
    options = ("--no-deps", "--quiet", "--upgrade", "--target", str(SITE))
    done = subprocess.run(
        [python, "-m", "pip", "install", *options, *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    if len(requirements) > 1:
        return "".join([install(python, [each]) for each in requirements])
    return done.stderr.strip().rpartition("\n")[2]


def find_missing(python: str, modules: dict[str, str]) -> list[str]:
    """Return requirements that a Python lacks, with the packages in `.gpu`."""
    pairs = [f"{module}={name}" for module, name in modules.items()]
    command = [python, str(ROOT / "tools" / "gpu_packages.py"), *pairs]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment(), cwd=ROOT
    )
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def environment() -> dict[str, str]:
    """Return the environment in which the tests and benchmarks run."""
    paths = [str(ROOT), str(SITE), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run(python: str, limit_s: float, module: str, *arguments: str) -> int:
    """Run a module; return its exit status, 124 if the time limit ended it.

    At the limit it is interrupted, upon which pytest and the benchmarks write what they have.
    """
    command = [python, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), start_new_session=True)
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"gpu: {module} was ended after {limit_s:.0f} s", flush=True)
        return 124
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a process; kill it if it goes on, and all that it has started."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _lists_cards() -> bool:
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
