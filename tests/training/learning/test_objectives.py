"""Losses and metrics of seeded official models on the seeded data, in float64."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smpler_model.checkpoints.files import load_model
from smpler_model.network.smpler import Smpler
from tests.conftest import OfficialFile
from tests.parity.seeded_checkpoint import DATA, VARIANTS
from training.data.datasets import TsvDataset
from training.data.labelled_people import LabelledPeople, collate
from training.learning.objectives import PeopleObjective
from training.scoring.scores import Conventions, score
from training.settings import TrainSettings

pytestmark = pytest.mark.slow

EXACT = 1e-6


class KeptFeatures(nn.Module):
    """A backbone that computes the maps of the same images once: they take most of the time."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.images: Tensor | None = None
        self.maps: list[Tensor] = []

    def forward(self, images: Tensor) -> list[Tensor]:
        if self.images is None or not torch.equal(images, self.images):
            self.images, self.maps = images, list(self.backbone(images))
        return self.maps


@dataclass(frozen=True)
class Evaluated:
    model: Smpler
    batch: LabelledPeople
    expected: dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module", params=VARIANTS)
def evaluated(
    request: pytest.FixtureRequest, official_file: OfficialFile, seeded_data: Path
) -> Evaluated:
    model = load_model(official_file(request.param)).double()
    model.backbone = KeptFeatures(model.backbone)
    dataset = TsvDataset(seeded_data / "eval.yaml", model.config.image_size)
    batch = collate([dataset[row] for row in range(len(dataset))])
    batch = batch.to(torch.device("cpu"), torch.float64)
    expected = dict(np.load(DATA / f"expected_eval_{request.param}.npz"))
    return Evaluated(model, batch, expected)


def test_losses_equal_the_reference(evaluated: Evaluated) -> None:
    objective = PeopleObjective(evaluated.model, TrainSettings(autocast="none"))
    with torch.no_grad():
        found = objective(evaluated.batch, objective.count(evaluated.batch))
    weights = TrainSettings().weights
    names = {
        "loss_vertices": found.terms["vertices"] / weights.vertices,
        "loss_2d_joints": found.terms["keypoints"] / weights.keypoints,
        "loss_3d_joints": found.terms["joints"] / weights.joints,
        "loss_theta": found.terms["rotations"] / weights.rotations,
        "loss_combine": found.loss,
    }
    assert {f"loss/{name}" for name in names} == {
        name for name in evaluated.expected if name.startswith("loss/")
    }
    for name, value in names.items():
        expected = float(evaluated.expected[f"loss/{name}"])
        assert value.item() == pytest.approx(expected, rel=EXACT, abs=0), name


def test_metrics_equal_the_reference(evaluated: Evaluated) -> None:
    means = score(evaluated.model, evaluated.batch, Conventions()).means()
    names = {"MPVE": "mpve_mm", "MPJPE": "mpjpe_mm", "PA-MPJPE": "pa_mpjpe_mm"}
    for ours, theirs in names.items():
        expected = float(evaluated.expected[f"metric/{theirs}"])
        assert means[ours] == pytest.approx(expected, rel=EXACT), ours
    # The reference's sum over everybody, two of whom have no joints, is larger.
    everybody = float(evaluated.expected["metric/pa_mpjpe_reference_mm"])
    assert everybody > 1.3 * means["PA-MPJPE"]
