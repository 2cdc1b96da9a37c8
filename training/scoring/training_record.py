"""What the record in a model's file says about its training, as text for the model's card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smpler_model.hashes import hash_files
from training.data.photo_files import PhotoFiles
from training.settings import TrainSettings
from training.train import ALL_STEPS

_BACKBONE = """\
- The backbone's first weights are MoveNet Lightning's (Google, Apache-2.0, see NOTICE).
"""
_STILL_STEM = """\
- Its stem and its blocks up to stride 8 stayed as they were. The pose branch, a copy of the blocks
  from stride 8 on, was trained with everything else.
"""
_STILL_KEYPOINTS = """\
- So did the other layers that find keypoints: blocks, pyramid and heads.
"""
_TRAINED_KEYPOINTS = """\
- Its blocks from stride 8 on that find keypoints, its pyramid and its heads were trained by losses
  of their own.
"""
_CROPS = """\
- Rendered crops show the built-in body in the project's rooms.
"""
_POSES = """\
- Some of their poses are recorded: fitted to photos, and from CMU's motion capture database (free
  for all uses).
"""
_PHOTOS = """\
- Photos of Leeds Sports Pose, extended: its authors ask to be cited (Johnson and Everingham, CVPR
  2011); no licence is stated, the photos belong to Flickr's users.
- Photos of Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014): its repository is under Apache-2.0;
  the photos are fashion bloggers'.
- A teacher added joints in metres (MediaPipe's pose landmark network, Apache-2.0), by the rules in
  [training.md](training.md#labelling-photos).
- No photo is part of this repository. They show athletes and people who pose for fashion, few
  everyday scenes.
"""


def follows_recipe(record: Mapping[str, Any], phases: Sequence[TrainSettings]) -> bool:
    """Return whether the runs that led to a file are the phases of a recipe, by their names."""
    runs = [Path(run["settings"]["output"]).name for run in _chain(record)]
    return runs == [phase.output.name for phase in phases]


def format_sources(record: Mapping[str, Any]) -> str:
    """Return what a run and its predecessors learned from, and its terms, as a Markdown list."""
    runs = [run["settings"] for run in _chain(record)]
    sources = [source for settings in runs for source in _sources(settings["data"])]
    trained = {_trained(settings) for settings in runs}
    begins = any(settings["backbone_weights"] for settings in runs)
    crops = [source for source in sources if source["kind"] == "crops"]
    in_parts = "all" not in trained
    learnt = "keypoints" in trained
    return "".join(
        text
        for text, is_true in (
            (_BACKBONE, begins),
            (_STILL_STEM, in_parts and begins),
            (_STILL_KEYPOINTS, in_parts and begins and not learnt),
            (_TRAINED_KEYPOINTS, in_parts and learnt),
            (_CROPS, crops),
            (_POSES, any(source.get("recorded") for source in crops)),
            (_PHOTOS, any(source["kind"] == "photos" for source in sources)),
        )
        if is_true
    )


def _trained(settings: Mapping[str, Any]) -> str:
    """Return which weights a run trained; older records name the pose otherwise."""
    return str(settings.get("trained", "pose" if settings.get("still_keypoints") else "all"))


def count_people(record: Mapping[str, Any]) -> dict[str, str]:
    """Return numbers and hashes of a run's training data by name."""
    sources = _sources(record["settings"]["data"])
    crops = sum(s["shards"] * s["crops"] for s in sources if s["kind"] == "crops")
    hashes = [value for name, value in record.items() if name.startswith("data_sha256")]
    facts = {"crops of the last run": f"{crops}, SHA-256 " + ", ".join(map(_shorten, hashes))}
    for number, source in enumerate(sources):
        is_mixed = "parts" in record["settings"]["data"]
        sha256 = record.get(f"photos_sha256 {number}" if is_mixed else "photos_sha256")
        if sha256:
            folder = Path(source["folder"])
            facts[f"photos of the last run, `{folder.name}`"] = (
                f"{_count_photos(folder, sha256)}SHA-256 {_shorten(sha256)}"
            )
    return facts


def _count_photos(folder: Path, sha256: str) -> str:
    """Return how many people are trained on, and a comma; nothing where other photos lie there."""
    try:
        photos = PhotoFiles(folder, "train")
    except (OSError, ValueError):
        return ""
    return f"{len(photos)}, " if hash_files(photos.paths) == sha256 else ""


def _shorten(sha256: str) -> str:
    return f"`{sha256[:16]}`"


def format_runs(record: Mapping[str, Any]) -> str:
    """Return a run and its predecessors, first to last, as a Markdown table."""
    runs = _chain(record)
    lines = ["| run | seed | steps | crops a step | hours | CPU processes |", "|---|" + "---|" * 5]
    for run in runs:
        used = run["settings"]
        each = run["processes"] * used["batch"] * used["accumulate"]
        steps = f"{run['steps']} of {run.get(ALL_STEPS, used['steps'])}"
        lines.append(
            f"| `{Path(used['output']).name}` | {used['seed']} | {steps} | {each} | "
            f"{run['hours']:.2f} | {run['processes']} of {run['threads']} threads |"
        )
    lines.append(f"\n{sum(run['hours'] for run in runs):.2f} hours in all.")
    return "\n".join(lines)


def _chain(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the records of a run and its predecessors, first to last."""
    runs: list[Mapping[str, Any]] = []
    last: Mapping[str, Any] | None = record
    while last is not None:
        runs.insert(0, last)
        last = last.get("before")
    return runs


def _sources(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the settings of each source of a run's data."""
    return [part["data"] for part in data["parts"]] if "parts" in data else [data]
