"""Put the figures into `docs/performance.md` and `accuracy.md`: `python -m benchmarks.report`.

Each file in `docs/performance` replaces the text between the two comments that name it.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.detectors import tabulate as tabulate_detectors
from benchmarks.gpu import show as show_gpu
from benchmarks.placement_field import tabulate_field
from benchmarks.timing import format_table
from smpler_model.atomic_files import write_text_atomically

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (DOCS / "performance.md", DOCS / "accuracy.md")
FIGURES = DOCS / "performance"

Results = Mapping[str, Any]


def main() -> None:
    """Rewrite the pages."""
    pages = {path: path.read_text() for path in PAGES}
    for path in sorted(FIGURES.glob("*.json")):
        results = json.loads(path.read_text())
        kind = path.stem.partition("_")[0]
        replace_section(pages, path.stem, _SECTIONS[kind](results))
    for path, text in pages.items():
        write_text_atomically(path, text)
        sys.stdout.write(f"{path}: written\n")


def replace_section(pages: dict[Path, str], name: str, content: str) -> None:
    """Replace the text between `<!-- name -->` and `<!-- end -->`, in the page that has these.

    Raises:
        ValueError: no page has a place for it.
    """
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    for path, text in pages.items():
        if pattern.search(text):
            pages[path] = pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)
            return
    names = " or ".join(str(path) for path in pages)
    raise ValueError(
        f"{names} must hold '<!-- {name} -->', got none; put it and "
        "'<!-- end -->' where the section belongs"
    )


def describe(results: Results) -> str:
    """Return one line on the machine."""
    machine = results["machine"]
    device = machine.get("gpu", f"{machine['threads']} of {machine['cores']} cores")
    return (
        f"{machine['processor']}, {device}, PyTorch {machine['torch']}, Python "
        f"{machine['python']}; a large matrix product runs at {machine['float32_gflops']:.0f} "
        f"GFLOP/s in float32 and {machine['half_gflops']:.0f} in half precision, a large copy "
        f"moves {machine['copy_gb_per_s']:.0f} GB/s."
    )


def show_inference(results: Results) -> str:
    """Return times, minimum and rounding errors of every backend."""
    rows = results["rows"]
    medians = {(row["way"], row["people"]): row["times"]["median_ms"] for row in rows}
    work_ms = {(row["way"], row["people"]): row["times"]["cpu_ms"] for row in rows}
    times = [
        (
            *(row["people"], row["way"]),
            *(row["times"][name] for name in ("median_ms", "p99_ms", "cpu_ms")),
            medians["reference", row["people"]] / row["times"]["median_ms"],
            medians["plain", row["people"]] / row["times"]["median_ms"],
            work_ms["reference", row["people"]] / row["times"]["cpu_ms"],
            work_ms["plain", row["people"]] / row["times"]["cpu_ms"],
            f"{row['times']['disturbance']:.0%}",
        )
        for row in rows
    ]
    work, floor = results["work"], results["floor"]
    one = [row for row in rows if row["people"] == 1]
    best = min(one, key=lambda row: row["times"]["cpu_ms"])
    gain = next(row for row in one if row["way"] == "plain")["times"]["cpu_ms"]
    head = (
        "people",
        "way",
        "median ms",
        "p99 ms",
        "CPU ms",
        "x reference",
        "x plain",
        "CPU x reference",
        "CPU x plain",
        "disturbed",
    )
    return "\n\n".join(
        (
            describe(results),
            format_table(head, times),
            f"Work for one person: {work['plain_gflop']:.3g} GFLOP as it is, "
            f"{work['fast_gflop']:.3g} multiplied out, {work['weights_mb']:.3g} MB of weights. "
            f"Floor: {floor['float32_ms']:.3g} ms in float32, {floor['half_ms']:.3g} ms in half "
            f"precision, {floor['weights_ms']:.2g} ms to read the weights once. The way with the "
            f"least work, {best['way']}, takes {best['times']['cpu_ms']:.3g} ms of the processor, "
            f"the plain network {gain:.3g}.",
            "Distance from a float64 run, root mean squares:",
            _tabulate_errors(results["errors"]),
        )
    )


def _tabulate_errors(errors: Mapping[str, Mapping[str, float]]) -> str:
    plain = errors["plain"]["joints_mm"]
    rows = [(way, *found.values(), found["joints_mm"] / plain) for way, found in errors.items()]
    return format_table(("way", "rotations, degrees", "joints, mm", "of plain's"), rows)


def show_pipeline(results: Results) -> str:
    """Return the times of a frame's steps."""
    rows = [(step, t["median_ms"], t["p99_ms"]) for step, t in results["steps"].items()]
    intro = (
        f"{describe(results)} Model {results['model']}, backend {results['backend']}, "
        f"{results['people']:.1f} people a frame."
    )
    steps = format_table(("step", "median ms", "p99 ms"), rows)
    parts = [intro, steps]
    if "detectors" in results:
        parts += ["One image of 640x480:", tabulate_detectors(results["detectors"])]
    return "\n\n".join(parts)


def show_training(results: Results) -> str:
    """Return the times of an update."""
    rows = [
        (way, t["median_ms"], t["p99_ms"], 1e3 * results["batch"] / t["median_ms"])
        for way, t in results["ways"].items()
    ]
    intro = f"{describe(results)} Model {results['model']}, batch {results['batch']}."
    return f"{intro}\n\n{format_table(('step', 'median ms', 'p99 ms', 'crops/s'), rows)}"


def show_memory(results: Results) -> str:
    """Return what the pipeline holds after more and more frames."""
    rows = [
        (each["frames"], f"{each['resident_mib']:.1f}", each["python_blocks"], each["device_mib"])
        for each in results["held"]
    ]
    intro = f"{describe(results)} Model {results['model']}, backend {results['backend']}."
    head = ("frames", "resident MiB", "Python blocks", "device MiB")
    return f"{intro}\n\n{format_table(head, rows)}"


def show_node(results: Results) -> str:
    """Return what the live node costs beside the network."""
    rows = [
        (
            *(row["subscribed"], row["people"], row["sent"], row["dropped"], *row["overhead_ms"]),
            *(row["network_ms"], *row["whole_ms"]),
        )
        for row in results["rows"]
    ]
    head = (
        *("subscribed to", "people", "images", "dropped", "overhead ms", "p99", "network ms"),
        *("end to end ms", "p99"),
    )
    intro = f"{describe(results)} Images of 640x480 at {results['rate_hz']:g} Hz."
    return f"{intro}\n\n{format_table(head, rows)}"


def show_markers(results: Results) -> str:
    """Return what mesh markers cost in both ways."""
    slow = {r["people"]: r["each_ms"] for r in results["rows"] if r["way"] == "list of points"}
    rows = [
        (
            *(row["people"], row["way"], row["build_ms"], row["publish_ms"], row["each_ms"]),
            slow[row["people"]] / row["each_ms"],
        )
        for row in results["rows"]
    ]
    head = ("people", "way", "build ms", "publish ms", "ms a person", "times faster")
    return f"{describe(results)}\n\n{format_table(head, rows)}"


def show_placement(results: Results) -> str:
    """Return how well people are placed, by lens and angle off the axis."""
    return tabulate_field(results["field"])


def show_viewer(results: Results) -> str:
    """Return what a page costs beside the node, without and with a browser that shows it."""
    names = ("page", "results_hz", "people", "node_percent", "viewer_percent", "person_kb")
    rows = [(*(row[name] for name in names), row["page_kb_s"]) for row in results["rows"]]
    head = ("page", "results/s", "people", "node %", "viewer %", "kB a person", "kB/s")
    intro = (
        f"{describe(results)} Images of 640x480 at {results['rate_hz']:g} Hz; processor time in "
        "per cent of a core."
    )
    return f"{intro}\n\n{format_table(head, rows)}"


_SECTIONS: dict[str, Callable[[Results], str]] = {
    "gpu": show_gpu,
    "inference": show_inference,
    "markers": show_markers,
    "memory": show_memory,
    "node": show_node,
    "pipeline": show_pipeline,
    "placement": show_placement,
    "training": show_training,
    "viewer": show_viewer,
}

if __name__ == "__main__":
    main()
