"""Builds the message packages with colcon, and writes the shell file for importing them."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

from ros_installation import RosInstallation
from set_up_steps import SetUpError, run_logged

STAND_INS = ("hri_msgs", "people_msgs", "tf2_msgs", "vision_msgs")
"""Message packages that ROS distributions provide but the wheels lack."""


def build_interfaces(
    root: Path, venv: Path, ros_folder: Path, ros: RosInstallation | None, log: Path
) -> None:
    """Build `smpler_msgs`, and missing packages of `STAND_INS`, into `ros_folder`/install.

    Raises:
        SetUpError: a package does not build.
    """
    environment = wheel_environment(venv) if ros is None else {}
    if ros is None:
        correct_exported_paths(venv)
    write_environment_file(venv, ros_folder, environment)
    packages = [root / "smpler_msgs"]
    packages += [
        root / "tools" / name
        for name in STAND_INS
        if not can_import(venv, f"{name}.msg", environment)
    ]
    names = ", ".join(package.name for package in packages)
    print(f"set-up: building {names} (about half a minute each)", flush=True)
    command = [
        str(venv / "bin" / "python"),
        "-m",
        "colcon",
        "--log-base",
        str(ros_folder / "log"),
        "build",
        "--base-paths",
        *map(str, packages),
        "--build-base",
        str(ros_folder / "build"),
        "--install-base",
        str(ros_folder / "install"),
        "--merge-install",
        "--cmake-args",
        f"-DPython3_EXECUTABLE={ros.python if ros else venv / 'bin' / 'python'}",
        "-DBUILD_TESTING=OFF",
    ]
    result = run_logged(command, log, cwd=root, env={**os.environ, **environment})
    if result.returncode != 0:
        raise SetUpError(f"colcon could not build {names}; the log is {log.relative_to(root)}")


def wheel_environment(venv: Path) -> dict[str, str]:
    """Return the variables that make a virtual environment with ROS wheels an ament prefix."""
    libraries = [venv / "lib", *sorted(site_packages(venv).glob("ros_*.libs"))]
    return {
        "AMENT_PREFIX_PATH": str(venv),
        "CMAKE_PREFIX_PATH": str(venv),
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
        # The wheels restart Python to set LD_LIBRARY_PATH, unless this says that it is set.
        "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
    }


def site_packages(venv: Path) -> Path:
    """Return the folder of an environment's packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(venv)}))


def correct_exported_paths(venv: Path) -> None:
    """Point the wheels' CMake exports to this environment's headers.

    They contain the include folders of Python and NumPy on the machine that built them, and CMake
    refuses folders that do not exist.
    """
    numpy_include = site_packages(venv) / "numpy" / "_core" / "include"
    python_include = sysconfig.get_path("include")
    version = sysconfig.get_python_version()
    tag = "cp" + version.replace(".", "")
    built = f"/opt/python/{tag}-{tag}"
    for file in (venv / "share").glob("*/cmake/*.cmake"):
        text = file.read_text()
        corrected = text.replace(
            f"{built}/lib/python{version}/site-packages/numpy/_core/include", str(numpy_include)
        ).replace(f"{built}/include/python{version}", python_include)
        if corrected != text:
            file.write_text(corrected)


def can_import(venv: Path, module: str, environment: dict[str, str]) -> bool:
    """Return whether the environment's Python imports a module."""
    command = [str(venv / "bin" / "python"), "-c", f"import {module}"]
    result = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, check=False
    )
    return result.returncode == 0


def write_environment_file(venv: Path, ros_folder: Path, environment: dict[str, str]) -> None:
    """Write `ros_folder`/environment.sh, which puts everything on the path when sourced."""
    prefixes = {"PATH", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"}
    lines = [f"export VIRTUAL_ENV='{venv}'"]
    if not environment:
        lines.append(f"export PATH='{venv / 'bin'}':\"$PATH\"")
    for name, value in environment.items():
        own = f"{venv / 'bin'}" if name == "PATH" else value
        rest = f'"${{{name}:+:${name}}}"' if name in prefixes else ""
        lines.append(f"export {name}='{own}'{rest}")
    install = ros_folder / "install"
    lines += [
        f"COLCON_CURRENT_PREFIX='{install}'",
        f". '{install / 'local_setup.sh'}'",
        "unset COLCON_CURRENT_PREFIX",
    ]
    ros_folder.mkdir(parents=True, exist_ok=True)
    (ros_folder / "environment.sh").write_text("\n".join(lines) + "\n")
