"""The demonstration's report: a table of measurements, and the paths of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from smpler_model.bags.reader import open_bag
from smpler_model.cameras.messages import NS_PER_S, stamp_ns_of
from smpler_model.people.metrics import MM_FROM_M
from smpler_ros.bags.summary import describe_missed

Row = tuple[str, str, str, str]
"""Title, number, unit and meaning."""

_NS_PER_MS = NS_PER_S / 1e3
_UNKNOWN = "-"


@dataclass(frozen=True)
class LiveFigures:
    """Rate and latency of recorded messages.

    Attributes:
        rate_hz: message rate; None for fewer than two messages.
        latency_ms: median time from an image's timestamp to its message; None without messages.
    """

    rate_hz: float | None
    latency_ms: float | None


def measure_live(bag: Path, topic: str) -> LiveFigures:
    """Measure rate and latency of messages.

    Args:
        bag: recorded live, with the times of arrival.
        topic: topic whose messages have their images' timestamps.

    Raises:
        SourceError: the bag cannot be read.
    """
    with open_bag(bag) as reader:
        times = [
            (each.time_ns, stamp_ns_of(each.message)) for each in reader.read_messages([topic])
        ]
    ages_ms = [(arrival - stamp) / _NS_PER_MS for arrival, stamp in times]
    span_s = (times[-1][0] - times[0][0]) / NS_PER_S if times else 0.0
    return LiveFigures(
        (len(times) - 1) / span_s if span_s > 0 else None,
        median(ages_ms) if ages_ms else None,
    )


def table_rows(live: LiveFigures, summary: Mapping[str, Any]) -> list[Row]:
    """Return the table: live measurements, people, and errors if there is ground truth.

    Args:
        live: live measurements of the node.
        summary: `evaluate_bag`'s, of the recorded images.
    """
    rows = [
        ("people messages", _number(live.rate_hz, 1), "Hz", "live, from the node"),
        ("median latency", _number(live.latency_ms, 0), "ms", "from an image's timestamp"),
        ("people seen", str(summary["people"]), "", f"in {summary['frames']} images"),
        ("tracks", str(summary["tracks"]), "", "assigned ids"),
    ]
    if summary["accuracy"] is None:
        return rows
    errors = summary["accuracy"]["all"]
    pelvis_m = None if errors["pelvis_mm"] is None else errors["pelvis_mm"] / MM_FROM_M
    found = f"over {errors['pairs']} of {errors['true_people']} true people"
    return [
        *rows,
        ("MPJPE", _number(errors["mpjpe_mm"], 1), "mm", f"{found}, hips aligned"),
        (
            "missed",
            _number(_percentage(errors["visible_missed"], errors["visible_people"]), 1),
            "%",
            describe_missed(errors),
        ),
        ("placed pelvis", _number(pelvis_m, 3), "m", "off, in the camera's frame"),
    ]


def format_table(rows: Sequence[Row]) -> str:
    """Return rows as lines with aligned columns."""
    titles = max(len(row[0]) for row in rows)
    numbers = max(len(row[1]) for row in rows)
    lines = (
        f"{title:<{titles}}  {number:>{numbers}} {unit:<2}  {meaning}"
        for title, number, unit, meaning in rows
    )
    return "\n".join(lines)


def format_paths(paths: Mapping[str, Path | str]) -> str:
    """Return a line for each path, or command, by its title."""
    width = max(map(len, paths))
    return "\n".join(f"{title:<{width}}  {path}" for title, path in paths.items())


def _percentage(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _number(value: float | None, digits: int) -> str:
    return _UNKNOWN if value is None else f"{value:.{digits}f}"
