"""ROS packages as colcon and apt install them: an entry in ament's index, and programs."""

import stat
from pathlib import Path


def install(prefix: Path, package: str, program: str = "", script: str = "") -> None:
    """Install a package with at most one program.

    Args:
        prefix: folder to install to, which `AMENT_PREFIX_PATH` is to name.
        package: name of the package.
        program: name of the program; empty for none.
        script: shell commands of the program.
    """
    entry = prefix / "share/ament_index/resource_index/packages" / package
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.touch()
    if program:
        file = prefix / "lib" / package / program
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
