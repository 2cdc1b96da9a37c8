"""A headless Chromium, driven by Playwright, that draws in software where there is no GPU."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smpler_model.inference.optional_packages import import_optional

PROGRAM = "chromium"
_FLAGS = (
    *("--no-sandbox", "--disable-dev-shm-usage", "--ignore-gpu-blocklist"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)
_MIB_FROM_KIB = 1 / 1024


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start a browser, which has no types without Playwright, and end it.

    Raises:
        ValueError: Playwright or Chromium is not installed.
    """
    import_optional("playwright", "the browser")
    module: Any = importlib.import_module("playwright.sync_api")
    path = shutil.which(PROGRAM)
    if path is None:
        raise ValueError(
            f"the program {PROGRAM} must be on the PATH, got none; install "
            f"Debian's package {PROGRAM}"
        )
    with module.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def resident_mib(root: int) -> float:
    """Return the resident memory of a process' descendants, MiB, without that of the process."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    waiting, found = list(children.get(root, [])), []
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return sum(map(_resident_mib, found))


def _resident_mib(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    return sum(sizes) * _MIB_FROM_KIB
