"""The card tells from a file's record what the model was trained with."""

from dataclasses import replace
from pathlib import Path

import pytest

from smpler_model.body.builtin import load_builtin_body
from smpler_model.checkpoints.files import read_checkpoint
from smpler_model.checkpoints.shipped import shipped_path
from smpler_model.hashes import hash_files
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from tests.training.data.made_up_photos import prepare_photos
from training.data.photo_files import PhotoFiles
from training.learning.trained_weights import Trained, hold_others
from training.scoring.training_record import (
    count_people,
    follows_recipe,
    format_runs,
    format_sources,
)
from training.settings import WEIGHTS, TrainSettings
from training.train import Run

pytestmark = pytest.mark.slow


def test_the_card_lists_the_steps_of_runs_of_epochs() -> None:
    used = {"output": "runs/a", "seed": 0, "batch": 4, "accumulate": 1, "steps": 10_000}
    run = {"settings": used, "processes": 1, "threads": 1, "hours": 0.5, "steps": 96}
    assert "| 96 of 96 |" in format_runs(run | {"all steps": 96})
    assert "| 96 of 10000 |" in format_runs(run)  # written before runs noted their steps


def test_the_card_lists_previous_runs(settings: TrainSettings, tmp_path: Path) -> None:
    first = replace(settings, steps=2)
    Run(first).train()
    initial = first.output / WEIGHTS
    second = replace(first, initial=initial, output=tmp_path / "second", seed=5)
    record = Run(second).record | {"steps": 1}
    lines = format_runs(record).splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:4]] == [
        ["| `run`", "0", "2 of 2"],
        ["| `second`", "5", "1 of 2"],
    ]


def test_the_card_names_the_sources_of_every_run() -> None:
    drawn = {"backbone_weights": None, "data": {"kind": "crops"}}
    photos = {"kind": "photos"}
    mixed = {"parts": [{"data": {"kind": "crops", "recorded": 0.5}}, {"data": photos}]}
    first = {"settings": {"backbone_weights": "movenet.json", "data": mixed}}
    assert format_sources({"settings": drawn}).count("\n- ") == 0
    text = format_sources({"settings": drawn, "before": first})
    assert all(name in text for name in ("MoveNet", "Rendered", "recorded", "Leeds"))


def run_of(**settings: object) -> dict[str, object]:
    """Return the record of a run that began with MoveNet's weights and trained on crops."""
    return {"settings": {"backbone_weights": "m.json", "data": {"kind": "crops"}, **settings}}


@pytest.mark.parametrize("earlier", [{"still_keypoints": True}, {"trained": "pose"}])
def test_the_card_says_what_became_of_movenets_layers(earlier: dict[str, object]) -> None:
    first = run_of(**earlier)
    text = format_sources(first)
    assert "blocks up to stride 8 stayed as they were" in text
    assert "So did the other layers that find keypoints" in text
    text = format_sources(run_of(trained="keypoints") | {"before": first})
    assert "blocks up to stride 8 stayed as they were" in text
    assert "its pyramid and its heads were trained" in text
    assert "So did" not in text
    everything = format_sources(run_of(trained="all") | {"before": first})
    assert "stayed" not in everything


def test_layers_that_the_card_says_stayed_are_those_that_no_part_trains() -> None:
    model = build_model(SMPLER_NANO, load_builtin_body())
    learnt: set[str] = set()
    parts: tuple[Trained, ...] = ("pose", "keypoints", "transformer", "alignment")
    for part in parts:
        model.requires_grad_(True)
        hold_others(model, part)
        learnt |= {name for name, w in model.named_parameters() if w.requires_grad}
    still = {name for name, _ in model.named_parameters()} - learnt
    places = {".".join(name.split(".")[: 3 if "groups" in name else 2]) for name in still}
    assert places == {"backbone.stem", *(f"backbone.groups.{number}" for number in range(3))}


def test_the_card_counts_photos_where_they_still_lie(tmp_path: Path) -> None:
    folder = prepare_photos(tmp_path)
    photos = PhotoFiles(folder, "train")
    sha256 = hash_files(photos.paths)
    crops = {"kind": "crops", "shards": 2, "crops": 8}
    parts = [crops, {"kind": "photos", "folder": str(folder)}]
    record = {
        "settings": {"data": {"parts": [{"data": part} for part in parts]}},
        "data_sha256 0": "a" * 64,
        "photos_sha256 1": sha256,
        "validation_photos_sha256 1": "b" * 64,
    }
    name = f"photos of the last run, `{folder.name}`"
    short = f"SHA-256 `{sha256[:16]}`"
    crop_facts = {"crops of the last run": f"16, SHA-256 `{'a' * 16}`"}
    assert count_people(record) == crop_facts | {name: f"{len(photos)}, {short}"}
    others = record | {"photos_sha256 1": "c" * 64}
    assert count_people(others) == crop_facts | {name: f"SHA-256 `{'c' * 16}`"}
    photos.paths[1].unlink()
    assert count_people(record) == crop_facts | {name: short}


def test_the_shipped_files_record_can_be_read() -> None:
    record = read_checkpoint(shipped_path("smpler_nano")).other["record"]
    assert "photos" in " ".join(count_people(record))
    assert "up to stride 8 stayed as they were" in format_sources(record)
    assert "hours in all" in format_runs(record)


def test_the_card_says_when_the_runs_are_not_those_of_the_recipe(settings: TrainSettings) -> None:
    first, second = (replace(settings, output=Path("runs") / name) for name in ("first", "second"))
    before = {"settings": {"output": "other/first"}}
    record = {"settings": {"output": "other/second"}, "before": before}
    assert follows_recipe(record, [first, second])
    assert not follows_recipe(record, [second])
    assert not follows_recipe(before, [first, second])
