"""One HTML page with the results of a run."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from smpler_model.atomic_files import write_text_atomically
from smpler_model.commands.words import counted
from smpler_ros.bags.plots import plot_errors
from smpler_ros.bags.run_files import REPORT
from smpler_ros.bags.run_statistics import RunStatistics
from smpler_ros.bags.summary import describe_missed
from smpler_ros.bags.worst_frames import WorstFrame

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 60em; color: #222; }
h1 { font-size: 1.5em; margin-bottom: 0; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; margin: .6em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
p.note { background: #fff3d6; padding: .5em .8em; } img { max-width: 100%; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15em 1em; font-size: .9em; }
.wide { overflow-x: auto; } td, th { white-space: nowrap; }
.worst { display: grid; grid-template-columns: repeat(auto-fill, minmax(17em, 1fr)); gap: 1em; }
figure { margin: 0; } figure img { width: 100%; } figcaption { font-size: .9em; }
a.button { display: inline-block; background: #2a6fbb; color: #fff; padding: .45em .9em;
  border-radius: .3em; text-decoration: none; margin: .3em 0; }
code { overflow-wrap: anywhere; }
@media (max-width: 40em) { body { margin: 1em; } dl { grid-template-columns: 1fr; } }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
"""
_PHONE = '<meta name="viewport" content="width=device-width, initial-scale=1">'
_TITLES = {
    "mpjpe_mm": "MPJPE mm",
    "pa_mpjpe_mm": "PA-MPJPE mm",
    "mpve_mm": "MPVE mm",
    "acceleration_mm_s2": "acceleration mm/s²",
    "pck": "PCK",
    "auc": "AUC",
    "pelvis_mm": "pelvis mm",
    "pairs": "found",
    "missed": "missed",
    "visible_missed": "of them visible",
    "false": "false",
    "identity_switches": "switches",
}

_FUSED_TITLES = (
    *("mpjpe_mm", "pa_mpjpe_mm", "mpve_mm", "pelvis_mm", "pck", "auc", "acceleration_mm_s2"),
    "identity_switches",
)


def write_report(
    folder: Path,
    summary: Mapping[str, Any],
    tally: RunStatistics,
    worst: Sequence[WorstFrame] = (),
) -> None:
    """Write `report.html`, with plots beside it and embedded.

    Args:
        folder: folder of the run.
        summary: summary of the run.
        tally: tally of the run.
        worst: frames that are shown.
    """
    plots = plot_errors(folder, tally)
    sections = [_head(summary), _notes(summary)]
    if summary["accuracy"]:
        sections += [_errors(summary["accuracy"]), *map(_image, plots)]
        sections += [_worst(folder, worst)] if worst else []
    sections += [_fused(folder, summary["fused"])] if summary["fused"] else []
    sections += [_cameras(summary), _speed(summary)]
    if summary["accuracy"]:
        sections.append("<h2>Conventions</h2>" + _list(summary["accuracy"]["conventions"]))
    sections.append("<h2>Configuration</h2>" + _list(_flat(summary["configuration"])))
    sections.append("<h2>SHA-256</h2>" + _list(_flat(summary["sha256"])))
    title = escape(Path(summary["bag"]).name)
    body = "\n".join(sections)
    write_text_atomically(
        folder / REPORT,
        f'<!doctype html><html lang="en"><meta charset="utf-8">{_PHONE}<title>{title}</title>'
        f"<style>{_STYLE}</style><body>{body}</body></html>\n",
    )


def _head(summary: Mapping[str, Any]) -> str:
    seconds = max(camera["duration_s"] for camera in summary["cameras"].values())
    facts = (
        f"{counted(summary['frames'], 'image')} over {seconds:.1f} s, "
        f"{counted(summary['tracks'], 'track')}, {_number(summary['rate_hz'])} images/s"
    )
    if summary["accuracy"]:
        figures = summary["accuracy"]["all"]
        facts += f"; people: {figures['pairs']} found, {describe_missed(figures)}, "
        facts += f"{figures['false']} false"
    return f"<h1>{escape(summary['bag'])}</h1><p>{facts}</p>"


def _notes(summary: Mapping[str, Any]) -> str:
    notes = [] if summary["complete"] else ["The run was interrupted; the results are partial."]
    notes += [summary["damage"]] if summary["damage"] else []
    notes += [f"{entry['topic']}: {entry['note']}" for entry in summary["notes"]]
    notes += [
        f"{entry['topic']}: left out {counted(entry['count'], 'time')}: {entry['reason']}"
        for entry in summary["left_out"]
    ]
    notes += [
        f"{entry['topic']}: {counted(entry['count'], 'time')}: {entry['reason']}"
        for entry in (*summary["people_left_out"], *summary.get("images_without_pose", ()))
    ]
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _speed(summary: Mapping[str, Any]) -> str:
    rows = [
        [step, *(values[name] for name in ("mean", "p50", "p90", "p99"))]
        for step, values in summary["latency_ms"].items()
    ]
    header = ["step", "mean ms", "p50", "p90", "p99"]
    return "<h2>Time per batch of images</h2>" + _table(header, rows)


def _cameras(summary: Mapping[str, Any]) -> str:
    rows = [
        [
            *(name, camera["frames"], camera["image_rate_hz"], camera["left_out"]),
            *(camera["people"], len(camera["tracks"])),
            sum(track["drop_outs"] for track in camera["tracks"]),
        ]
        for name, camera in summary["cameras"].items()
    ]
    header = ["camera", "images", "images/s", "left out", "people", "tracks", "drop-outs"]
    return "<h2>Cameras</h2>" + _table(header, rows)


def _errors(accuracy: Mapping[str, Any]) -> str:
    rows = [["all", *_figures(accuracy["all"])]]
    for camera, sums in accuracy["cameras"].items():
        if len(accuracy["cameras"]) > 1:
            rows.append([camera, *_figures(sums)])
        people = accuracy["people"].get(camera, {})
        rows += [[f"person {id_}", *_figures(each)] for id_, each in people.items()]
    return "<h2>Errors</h2>" + _table(["", *_TITLES.values()], rows)


def _worst(folder: Path, frames: Sequence[WorstFrame]) -> str:
    figures = "".join(_worst_figure(folder, frame) for frame in frames)
    return f'<h2>Largest errors</h2><div class="worst">{figures}</div>'


def _worst_figure(folder: Path, frame: WorstFrame) -> str:
    name = f"{frame.camera}, image {frame.frame}: person {frame.person}, {frame.error_mm:.0f} mm"
    command = f"smpler view {folder} --image-topic {frame.camera} --frame {frame.frame}"
    button = f'<a class="button" href="{frame.page}">in 3D</a><br>' if frame.page else ""
    return (
        f'<figure><img alt="{escape(name)}" src="data:image/jpeg;base64,{frame.picture}">'
        f"<figcaption>{escape(name)}<br>{button}<code>{escape(command)}</code></figcaption>"
        "</figure>"
    )


def _fused(folder: Path, fused: Mapping[str, Any]) -> str:
    """Return the section on fused people, with errors beside those of single views."""
    facts = (
        f"{counted(fused['moments'], 'moment')}, {counted(fused['people'], 'person', 'people')}, "
        f"{counted(fused['ids'], 'id')}"
    )
    images = ", ".join(f"{name} in {count}" for name, count in fused["moments_with"].items())
    parts = [f"<p>{facts}; images of {escape(images)} moments.</p>"]
    parts.append(f"<p><code>{escape(f'smpler view {folder}')}</code> shows them in 3D.</p>")
    accuracy = fused["accuracy"]
    if accuracy:
        parts.append(_fused_errors(accuracy))
    return "<h2>Fused people</h2>" + "".join(parts)


def _fused_errors(accuracy: Mapping[str, Any]) -> str:
    sums = {"all": accuracy["all"]} | accuracy["cameras"]
    rows = [
        [f"{name}, {title}", each["pairs"], *(each[kind][figure] for figure in _FUSED_TITLES)]
        for name, each in sums.items()
        for kind, title in (("views", "single view"), ("fused", "fused"))
    ]
    note = (
        "Errors of people seen by several cameras, against the ground truth of each of these "
        "cameras, and errors of that camera's own estimates of the same people."
    )
    if accuracy["same_people"] is not None:
        note += (
            f" Of {counted(accuracy['same_people'], 'pair')} of sightings of one person by two "
            f"cameras, {accuracy['joined']} were fused; {accuracy['wrong_joins']} pairs of "
            "different people were."
        )
    header = ["", "pairs", *(_TITLES[name] for name in _FUSED_TITLES)]
    return f"<p>{note}</p>" + _table(header, rows)


def _figures(sums: Mapping[str, Any]) -> list[Any]:
    return [sums[name] for name in _TITLES]


def _image(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{path.stem}" src="data:image/png;base64,{data}">'


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_number(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _list(entries: Mapping[str, Any]) -> str:
    items = (
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in entries.items()
    )
    return f"<dl>{''.join(items)}</dl>"


def _flat(entries: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in entries.items():
        flat |= (
            _flat(value, f"{prefix}{name} ")
            if isinstance(value, Mapping)
            else {prefix + name: value}
        )
    return flat


def _number(value: Any) -> str:  # noqa: ANN401
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1 else f"{value:.1f}"
    return str(value)
