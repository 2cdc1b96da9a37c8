"""Shared by the steps of the set-up: errors, stamps, logged commands."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path


class SetUpError(Exception):
    """The set-up cannot continue; the message is one sentence with the remedy."""


class Stamp:
    """A file that records the inputs of a finished step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def matches(self, wanted: str) -> bool:
        """Return whether the step was finished with these inputs."""
        return self.path.exists() and self.path.read_text() == wanted

    def write(self, wanted: str) -> None:
        """Mark the step as finished."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(wanted)

    def remove(self) -> None:
        """Mark the step as unfinished."""
        self.path.unlink(missing_ok=True)


def fingerprint(*parts: Iterable[str]) -> str:
    """Return a hash of texts, which depends on their order and on where one ends."""
    digest = hashlib.sha256()
    for part in parts:
        for text in part:
            digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def run_logged(
    command: list[str], log: Path, *, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command quietly, append its output to a log, and return both streams as stdout."""
    result = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(f"$ {' '.join(command)}\n{result.stdout}\n")
    return result
