from pathlib import Path

import pytest

from training.configuration import load_configuration, plain_values, settings_from_values
from training.data.data_settings import CropData, DataPart, MixedData, TsvData, TsvSet
from training.evaluate import EvaluateSettings
from training.settings import TrainSettings, load_phases, load_settings

CONFIG = Path(__file__).parents[2] / "config"
NANO, PHOTOS = CONFIG / "train" / "nano.yaml", CONFIG / "train" / "smpler_w32.yaml"
EVALUATION = CONFIG / "evaluate" / "w32_3dpw.yaml"


def test_shipped_configuration_reads_back() -> None:
    settings = load_settings(NANO)
    assert settings_from_values(TrainSettings, plain_values(settings)) == settings


def test_overrides_set_nested_fields() -> None:
    settings = load_settings(NANO, ["data.parts.0.data.shards=2", "seed=7", "weights.joints=1"])
    assert (settings.data.parts[0].data.shards, settings.seed, settings.weights.joints) == (
        2,
        7,
        1.0,
    )


@pytest.mark.parametrize("text", ["2e-4", "2.0e-4", "0.0002"])
def test_numbers_may_be_written_as_in_python(text: str) -> None:
    assert load_settings(NANO, [f"learning_rate={text}"]).learning_rate == 0.0002


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stpes=3", "stpes"),
        ("steps=many", "steps must be int"),
        ("steps=0", "steps must be positive"),
        ("steps", "field=value"),
        ("data=3", "must be a mapping"),
        ("data.folder=[", r"data.folder must be YAML, got '\['"),
        ("learning_rate=e5", "must be float"),
        ("data.parts.0.data.shards=2000000", "held-out"),
    ],
)
def test_mistakes_are_explained(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_settings(NANO, [override])


@pytest.mark.parametrize(
    "name",
    [
        *("frame_weight", "refined_crops", "stage_weight", "vertex_step"),
    ],
)
def test_settings_for_crops_are_refused_with_photos(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} needs crops.*, got tsv; leave it out"):
        load_settings(PHOTOS, [f"{name}=32"])


def test_keypoints_are_learned_from_crops_and_photos_alone() -> None:
    with pytest.raises(ValueError, match="trained: keypoints` needs crops or photos, got tsv"):
        load_settings(PHOTOS, ["trained=keypoints"])
    people = TsvData(sets=(TsvSet(Path("people.yaml")),))
    with pytest.raises(ValueError, match="needs crops or photos, got crops and tsv; set trained"):
        TrainSettings(
            data=MixedData((DataPart(CropData()), DataPart(people))),
            trained="keypoints",
        )


def test_defaults_of_settings_for_crops_are_accepted_with_photos() -> None:
    settings = load_settings(PHOTOS, ["stage_weight=0"])  # as in SMPLer
    assert settings_from_values(TrainSettings, plain_values(settings)) == settings


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("'('", r"sequence must be a regular expression, got '\(', which is none: missing"),
        (r"'^\d+'", "sequence must contain a group that names the sequence, got "),
    ],
)
def test_a_pattern_that_names_no_sequence_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_settings(PHOTOS, [f"data.sets.0.sequence={pattern}"])
    with pytest.raises(ValueError, match=message):
        load_configuration(EvaluateSettings, EVALUATION, [f"data.sequence={pattern}"])


def test_phases_follow_one_another(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "output: runs/some\nsteps: 7\nphases:\n- {name: begin, seed: 3}\n- {name: end, steps: 9}\n"
    )
    first, last = load_phases(path, ["batch=5"])
    assert (first.output, first.initial) == (Path("runs/some/begin"), None)
    assert (last.output, last.initial) == (Path("runs/some/end"), first.output / "weights.pt")
    assert (first.steps, first.seed, last.steps, last.seed) == (7, 3, 9, 0)
    assert (first.batch, last.batch) == (5, 5)
    assert load_settings(path, ["batch=5"]) == last


@pytest.mark.parametrize("phases", ["3", "[{seed: 3}]"])
def test_phases_have_names(tmp_path: Path, phases: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"phases: {phases}\n")
    with pytest.raises(ValueError, match="must be a list in which each has a name"):
        load_phases(path)
