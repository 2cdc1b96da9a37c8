from pathlib import Path

import pytest

from training.configuration import plain_values, settings_from_values
from training.settings import TrainSettings, load_settings

NANO = Path(__file__).parents[2] / "config" / "train" / "nano.yaml"


def test_shipped_configuration_reads_back() -> None:
    settings = load_settings(NANO)
    assert settings_from_values(TrainSettings, plain_values(settings)) == settings


def test_overrides_reach_inner_fields() -> None:
    settings = load_settings(NANO, ["data.shards=2", "seed=7", "weights.joints=1"])
    assert (settings.data.shards, settings.seed, settings.weights.joints) == (2, 7, 1.0)


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
        ("data.shards=2000000", "held-out"),
    ],
)
def test_mistakes_are_explained(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_settings(NANO, [override])


@pytest.mark.parametrize("name", ["dense_crops", "frame_weight", "refined_crops", "early_size"])
def test_what_needs_crops_is_not_ignored_with_photos(name: str) -> None:
    photos = NANO.with_name("smpler_w32.yaml")
    with pytest.raises(ValueError, match=f"{name} needs crops, got tsv; set it to 0"):
        load_settings(photos, [f"{name}=32"])
