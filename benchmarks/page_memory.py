"""Checks that a page left open does not need ever more memory: `python -m benchmarks.page_memory`.

People walk before a synthetic camera, and a headless Chromium shows them. At regular intervals:

- server MiB: resident memory of this process;
- messages: number that viser keeps for clients that connect later;
- browser MiB: resident memory of Chromium's processes, geometry included;
- heap MB: of the page's JavaScript, after a garbage collection.

Needs Playwright and Chromium. Memory that every image leaves behind would add up.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.browser import open_browser, resident_mib
from benchmarks.memory import read_memory
from benchmarks.timing import describe_machine, format_table, write_results
from benchmarks.viewer import walk
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.viewing.moments import Moment
from smpler_model.viewing.page import open_page
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import SkinnedSurface
from smpler_model.viewing.trails import Trails

_FILM_S = 5.0
_OPEN_S = 300.0  # software takes long for the first image where other programs share the cores
_WINDOW = {"width": 480, "height": 360}


@dataclass(frozen=True)
class PageMemory:
    """Memory after some time.

    Attributes:
        minutes: time since the page was opened.
        images: number that were shown since.
        server_mib: resident memory of this process.
        messages: that viser keeps.
        browser_mib: resident memory of the browser.
        heap_mb: of the page's JavaScript.
    """

    minutes: float
    images: int
    server_mib: float
    messages: int
    browser_mib: float
    heap_mb: float


def measure(
    moments: Sequence[Moment], rate_hz: float, minutes: float, readings: int
) -> list[PageMemory]:
    """Show moments in a loop before a browser; return the memory at even times.

    Args:
        moments: of a film.
        rate_hz: most images a second; fewer where the browser's drawing leaves no time.
        minutes: how long.
        readings: number of readings.
    """
    with open_page("memory", "localhost", 0) as page, open_browser() as browser:
        scene, trails = Scene(page.server, SkinnedSurface(load_builtin_body())), Trails()
        tab = browser.new_page(viewport=_WINDOW)
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.set_default_timeout(1e3 * _OPEN_S)
        tab.goto(page.address)
        page.wait_for_watchers(_OPEN_S)
        buffer = page.server._websock_server._broadcast_buffer
        held: list[PageMemory] = []
        start_s, shown = time.monotonic(), 0
        while len(held) < readings:
            moment = moments[shown % len(moments)]
            scene.show(moment, trails.add(moment))
            shown += 1
            passed_s = time.monotonic() - start_s
            if passed_s >= 60 * minutes * (len(held) + 1) / readings:
                held.append(
                    PageMemory(
                        passed_s / 60,
                        shown,
                        read_memory(shown, torch.device("cpu")).resident_mib,
                        len(buffer.message_from_id),
                        resident_mib(os.getpid()),
                        _heap_mb(tab),
                    )
                )
            time.sleep(1 / rate_hz)
        tab.close()
    if errors:
        raise RuntimeError(f"the page must run without errors, got: {errors[0]}")
    return held


def tabulate(held: Sequence[PageMemory]) -> str:
    """Return the readings as a table."""
    head = ("minutes", "images", "server MiB", "messages", "browser MiB", "heap MB")
    return format_table(head, [tuple(asdict(row).values()) for row in held])


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--rate", type=float, default=20.0, help="images a second, at most")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--readings", type=int, default=10)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    moments = walk(Body(load_builtin_body()).eval(), chosen.people, _FILM_S)
    held = measure(moments, chosen.rate, chosen.minutes, chosen.readings)
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "people": chosen.people,
        "rows": [asdict(row) for row in held],
    }
    write_results(results, tabulate(held), chosen.json)


def _heap_mb(tab: Any) -> float:  # noqa: ANN401 - Playwright is optional
    """Return the size of the page's JavaScript heap without garbage."""
    session = tab.context.new_cdp_session(tab)
    session.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in _metrics(session)}
    session.detach()
    return float(metrics["JSHeapUsedSize"]) / 1e6


def _metrics(session: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    session.send("Performance.enable")
    metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    return metrics


if __name__ == "__main__":
    main()
