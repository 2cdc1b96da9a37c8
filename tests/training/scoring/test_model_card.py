import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from smpler_model.people.metrics import Errors
from training.configuration import write_configuration
from training.scoring import model_card
from training.scoring.model_card import (
    format_gain,
    format_real,
    format_table,
    name_rows,
    write_card,
)
from training.scoring.stages import name_stages
from training.settings import WEIGHTS, TrainSettings, load_phases
from training.train import Run

pytestmark = pytest.mark.slow

NANO = Path(__file__).parents[3] / "config" / "train" / "nano.yaml"


VIDEO = {"frames": 3, "mpjpe_mm": 150.4, "pa_mpjpe_mm": 90.2, "hips_m": 0.3, "turn_deg": 9.7}


PHOTOS = {"people": 4, "pck": [0.75, 0.5]}


def errors_of(mpjpe: float) -> Errors:
    return Errors(torch.full((2,), mpjpe), torch.full((2,), 50.0), torch.full((2,), 120.0))


def test_table_and_gain() -> None:
    errors = {"small": errors_of(60.0), "mean pose": errors_of(100.0)}
    assert "| small | 60.0 | 50.0 | 120.0 |" in format_table(errors)
    assert format_gain(errors, "small") == "MPJPE is 40 percent below that of the mean pose"


def test_card_of_a_trained_model(
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = replace(settings, steps=2)
    Run(settings).train()
    write_configuration(settings, tmp_path / "run.yaml")
    card = tmp_path / "card.md"
    weights = settings.output / WEIGHTS
    arguments = ["model_card", str(tmp_path / "run.yaml")]
    arguments += ["--weights", str(weights), "--card", str(card)]
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({"photos": PHOTOS, "v.mp4": VIDEO}))
    monkeypatch.setattr(sys, "argv", [*arguments, "--real", str(figures)])
    assert model_card.main() == 0
    text, shown = card.read_text(), capsys.readouterr().out
    assert f"| `run` | 0 | 2 of 2 | {settings.batch} |" in text
    assert "percent below" in shown
    for row in ("its first guess", "after block 1", "after block 2, before alignment"):
        assert f"| {row} |" in text
    assert "4 people in photos, none of which are training data: 0.750 and 0.500." in text
    assert "| v.mp4 | 3 | 150 | 90 | 0.30 | 10 |" in text
    assert "any pose |" in text
    assert "not the phases of the recipe" not in text
    for line in shown.splitlines()[:-1]:
        assert line in text


def test_real_people_may_be_in_videos_or_photos_alone() -> None:
    videos = format_real({"v.mp4": VIDEO})
    assert "| v.mp4 | 3 | 150 | 90 | 0.30 | 10 |" in videos
    assert "photos" not in videos
    photos = format_real({"photos": PHOTOS})
    assert "4 people in photos" in photos
    assert "|" not in photos


def test_people_who_were_not_found_are_counted() -> None:
    text = format_real({"photos": PHOTOS | {"expected": 5}, "v.mp4": VIDEO | {"expected": 3}})
    assert "4 of 5 people in photos" in text
    assert "| v.mp4 | 3 | 150 |" in text


def test_each_estimate_has_a_row() -> None:
    names = ("first guess", "block 1", "block 2", "alignment")
    stages = [{"name": name, "photos": PHOTOS, "videos": VIDEO} for name in names]
    stages[0]["videos"] = None
    text = format_real({"photos": PHOTOS, "videos": VIDEO, "stages": stages})
    assert "| first guess | 0.750 | 0.500 |  |  |  |  |" in text
    for name in ("after block 1", "after block 2", "alignment"):
        assert f"| {name} | 0.750 | 0.500 | 150 | 90 | 0.30 | 10 |" in text


def test_rows_of_errors_are_named_by_what_has_refined_them() -> None:
    torch.manual_seed(0)
    model = build_model(SMPLER_NANO, load_builtin_body())
    stages = {name: errors_of(60.0) for name in name_stages(model)}
    earlier = ["its first guess", "after block 1"]
    assert list(name_rows(model, stages)) == [
        "smpler_nano",
        *earlier,
        "after block 2, before alignment",
    ]
    del stages["alignment"]
    assert list(name_rows(model, stages)) == ["smpler_nano", *earlier]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--real must be an existing file, got"),
        ("{}", "figures of photos or videos"),
        ("[", "none in"),
    ],
)
def test_unusable_figures_are_refused_before_anything_is_measured(
    text: str | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures, card = tmp_path / "figures.json", tmp_path / "card.md"
    if text is not None:
        figures.write_text(text)
    monkeypatch.delattr(model_card, "measure")
    arguments = ["model_card", str(NANO), "--real", str(figures), "--card", str(card)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert model_card.main() == 1
    assert message in capsys.readouterr().err
    assert not card.exists()


def test_missing_weights_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "weights.pt"
    card = tmp_path / "card.md"
    monkeypatch.setattr(
        sys, "argv", ["model_card", str(NANO), "--weights", str(missing), "--card", str(card)]
    )
    assert model_card.main() == 1
    assert str(missing) in capsys.readouterr().err
    assert not card.exists()


def test_weights_without_a_record_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "foreign.pt"
    save_checkpoint(build_model(SMPLER_NANO, load_builtin_body()), path)
    with pytest.raises(ValueError, match="must hold the record of its training, got none"):
        write_card(path, load_phases(NANO), {}, "nano.yaml")
