"""The shipped configurations follow the paper's recipe, and start."""

from pathlib import Path

import pytest
import torch

from smpler_model.body.smpl import Body
from smpler_model.network.config import MODELS
from synthetic.crops import CropRenderer
from synthetic.tsv_files import write_tsv_dataset
from training.configuration import (
    load_configuration,
    plain_values,
    settings_from_values,
    write_configuration,
)
from training.data.data_settings import TsvData
from training.evaluate import EvaluateSettings
from training.settings import WEIGHTS, TrainSettings, load_settings
from training.train import Run

CONFIG = Path(__file__).parents[2] / "config"
DETECTOR = "person"
TRAIN = sorted(path.stem for path in (CONFIG / "train").glob("*.yaml") if path.stem != DETECTOR)
EVALUATE = sorted(path.stem for path in (CONFIG / "evaluate").glob("*.yaml"))
STAGES = {  # epochs, people of all processes, learning rate
    "backbone": (50, 100, 2e-4),
    "smpler": (100, 100, 2e-4),
    "finetune": (2, 32, 1e-4),
}


@pytest.mark.parametrize("name", TRAIN)
def test_training_configurations_read_back(name: str, tmp_path: Path) -> None:
    settings = load_settings(CONFIG / "train" / f"{name}.yaml")
    write_configuration(settings, tmp_path / "resolved.yaml")
    assert load_settings(tmp_path / "resolved.yaml") == settings
    assert settings_from_values(TrainSettings, plain_values(settings)) == settings


@pytest.mark.parametrize("width", ["w32", "w48"])
@pytest.mark.parametrize("stage", STAGES)
def test_stages_follow_the_paper(stage: str, width: str) -> None:
    settings = load_settings(CONFIG / "train" / f"{stage}_{width}.yaml")
    assert (settings.epochs, settings.batch, settings.learning_rate) == STAGES[stage]
    assert settings.model == f"smpler_{width}"
    assert (settings.schedule, settings.weight_decay, settings.warm_up) == ("constant", 0, 0)
    assert settings.ema == 0
    assert vars(settings.weights) == vars(TrainSettings().weights)
    assert isinstance(settings.data, TsvData)
    assert Path("3dpw/test_has_gender.yaml") in settings.data.test
    assert settings.data.validation_share > 0


@pytest.mark.parametrize("width", ["w32", "w48"])
def test_stages_start_from_the_previous_one(width: str) -> None:
    stages = {name: load_settings(CONFIG / "train" / f"{name}_{width}.yaml") for name in STAGES}
    assert stages["smpler"].initial == stages["backbone"].output / "weights.pt"
    assert stages["finetune"].initial == stages["smpler"].output / "weights.pt"


def test_evaluations_of_all_released_models() -> None:
    found = {}
    for name in EVALUATE:
        settings = load_configuration(EvaluateSettings, CONFIG / "evaluate" / f"{name}.yaml")
        assert settings.model in MODELS
        found[settings.checkpoint.name] = (settings.model, str(settings.data.yaml))
    human, wild = "human3.6m/valid.protocol2.yaml", "3dpw/test_has_gender.yaml"
    found.pop("weights.pt")
    assert found == {
        "SMPLer_h36m.pt": ("smpler_w32", human),
        "SMPLer-L_h36m.pt": ("smpler_w48", human),
        "SMPLer_3dpw.pt": ("smpler_w32", wild),
        "SMPLer-L_3dpw.pt": ("smpler_w48", wild),
    }


@pytest.fixture(scope="module")
def people(body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    return write_tsv_dataset(folder, "people", CropRenderer(body, 96), 6, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_official_size_starts(stage: str, people: Path, tmp_path: Path) -> None:
    """Two steps of the real network on a CPU, with only a data set.

    In float32: a processor without bfloat16 instructions takes eight times as long for those.
    """
    settings = load_settings(
        CONFIG / "train" / f"{stage}_w32.yaml",
        [
            *(f"{name}=null" for name in ("initial", "body", "regressor", "mean_parameters")),
            *("backbone_weights=null", "device=cpu", "threads=1", "batch=2", "epochs=1"),
            "autocast=none",
            *(f"output={tmp_path}", f"data.root={people.parent}", "data.workers=0"),
            *("data.sets.0.yaml=people.yaml", "data.validation_share=0"),
        ],
    )
    run = Run(settings)
    assert run.steps == 3
    before = [p.detach().clone() for p in run.learner.model.regressor.parameters()]
    totals = [run.learner.step(batch)["total"] for batch in run.source.batches(0, 2)]
    assert len(totals) == 2
    assert all(0 < total < float("inf") for total in totals)
    after = run.learner.model.regressor.parameters()
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_page_takes_the_card_of_the_last_phase() -> None:
    page = (CONFIG.parent / "docs" / "training.md").read_text(encoding="utf-8")
    weights = load_settings(CONFIG / "train" / "nano.yaml").output / WEIGHTS
    assert f"--weights {weights} --card" in page
