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
    follows_recipe,
    format_gain,
    format_real,
    format_runs,
    format_sources,
    format_table,
    write_card,
)
from training.settings import WEIGHTS, TrainSettings, load_phases
from training.train import Run

pytestmark = pytest.mark.slow

NANO = Path(__file__).parents[3] / "config" / "train" / "nano.yaml"


VIDEO = {"frames": 3, "mpjpe_mm": 150.4, "pa_mpjpe_mm": 90.2, "hips_m": 0.3, "turn_deg": 9.7}


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
    figures.write_text(json.dumps({"photos": {"people": 4, "pck": [0.75, 0.5]}, "v.mp4": VIDEO}))
    monkeypatch.setattr(sys, "argv", [*arguments, "--real", str(figures)])
    assert model_card.main() == 0
    text, shown = card.read_text(), capsys.readouterr().out
    assert f"| `run` | 0 | 2 of 2 | {settings.batch} |" in text
    assert "percent below" in shown
    assert "| its first guess |" in text
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
    photos = format_real({"photos": {"people": 4, "pck": [0.75, 0.5]}})
    assert "4 people in photos" in photos
    assert "|" not in photos


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--real must be a file, got"),
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


@pytest.mark.parametrize("earlier", [{"still_keypoints": True}, {"trained": "pose"}])
def test_the_card_says_what_became_of_the_keypoints(earlier: dict[str, object]) -> None:
    common = {"backbone_weights": None, "data": {"kind": "crops"}}
    first = {"settings": common | earlier}
    assert "find keypoints are unchanged" in format_sources(first)
    text = format_sources({"settings": common | {"trained": "keypoints"}, "before": first})
    assert "find keypoints were trained" in text
    assert "unchanged" not in text


def test_the_card_says_when_the_runs_are_not_those_of_the_recipe(settings: TrainSettings) -> None:
    first, second = (replace(settings, output=Path("runs") / name) for name in ("first", "second"))
    before = {"settings": {"output": "other/first"}}
    record = {"settings": {"output": "other/second"}, "before": before}
    assert follows_recipe(record, [first, second])
    assert not follows_recipe(record, [second])
    assert not follows_recipe(before, [first, second])


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
