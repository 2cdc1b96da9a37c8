"""Errors over time and by joint, drawn without a display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from smpler_model.cameras.messages import NS_PER_S
from smpler_ros.bags.accuracy import EVALUATED_NAMES
from smpler_ros.bags.run_statistics import RunStatistics

OVER_TIME, BY_JOINT = "error_over_time.png", "error_by_joint.png"

_MOST_BINS = 300  # points of the line over time; more are indistinguishable
# Left, bottom, width and height, relative to the figure: a layout engine takes longer.
_OVER_TIME_BOX = (0.075, 0.15, 0.91, 0.75)
_BY_JOINT_BOX = (0.14, 0.15, 0.845, 0.75)
_COLOURS = ("#2a6fbb", "#d1762d", "#3a9150", "#8a55a8", "#b8434e", "#6b6b6b")


def plot_errors(folder: Path, tally: RunStatistics) -> list[Path]:
    """Write the plots, if there are errors.

    Args:
        folder: folder for `error_over_time.png` and `error_by_joint.png`.
        tally: tally of the run.

    Returns:
        The files.
    """
    if not any(len(error_series[0]) for error_series in tally.error_series.values()):
        return []
    files = [folder / OVER_TIME, folder / BY_JOINT]
    _plot_over_time(files[0], tally)
    _plot_by_joint(files[1], tally)
    return files


def _plot_over_time(path: Path, tally: RunStatistics) -> None:
    figure = Figure(figsize=(9, 3.6))
    axes = figure.add_axes(_OVER_TIME_BOX)
    start = min(error_series[0][0] for error_series in tally.error_series.values())
    several = len(tally.error_series) > 1
    for index, (camera, error_series) in enumerate(sorted(tally.error_series.items())):
        seconds = (np.asarray(error_series[0]) - start) / NS_PER_S
        colour = _COLOURS[index % len(_COLOURS)]
        title = f" {_plain(camera)}" if several else ""
        axes.plot(seconds, error_series[1], ".", ms=2, alpha=0.25, color=colour)
        for values, style, name in (
            (error_series[1], "-", "MPJPE"),
            (error_series[2], "--", "PA-MPJPE"),
        ):
            middles, means = _bin(seconds, np.asarray(values))
            axes.plot(middles, means, style, lw=1.6, color=colour, label=name + title)
    axes.set(xlabel="time (s)", ylabel="error (mm)", title="Error over time, all people")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, ncols=2)
    _finish(figure, path)


def _plot_by_joint(path: Path, tally: RunStatistics) -> None:
    sums = tally.errors[()]
    means = np.array(sums.joints_mm) / max(sums.pairs, 1)
    figure = Figure(figsize=(9, 3.8))
    axes = figure.add_axes(_BY_JOINT_BOX)
    names = [name.replace("_", " ") for name in EVALUATED_NAMES]
    bars = axes.barh(names, means, color=_COLOURS[0])
    axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="mean distance (mm), hips' midpoints aligned", title="Error by joint")
    axes.margins(x=0.08)
    _finish(figure, path)


def _plain(name: str) -> str:
    """Return a name escaped for matplotlib, which would parse $ as a formula."""
    return name.replace("$", r"\$")


def _bin(seconds: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of values over equal time steps, at most `_MOST_BINS`."""
    edges = np.linspace(
        seconds.min(), seconds.max() + 1e-9, min(len(np.unique(seconds)), _MOST_BINS) + 1
    )
    bins = np.clip(np.digitize(seconds, edges) - 1, 0, len(edges) - 2)
    counts = np.bincount(bins, minlength=len(edges) - 1)
    some = counts > 0
    sums = np.bincount(bins, weights=values, minlength=len(edges) - 1)
    middles = (edges[:-1] + edges[1:]) / 2
    return middles[some], sums[some] / counts[some]


def _finish(figure: Figure, path: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
    FigureCanvasAgg(figure)
    figure.savefig(path, format="png", dpi=100)
