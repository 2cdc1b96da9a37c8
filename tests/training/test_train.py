from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smpler_model import atomic_files
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.files import load_model
from tests.smpl_files import save_smpl_npz
from training.data.crop_files import CropFiles
from training.data.data_settings import CropData
from training.learning.learner import Learner
from training.learning.objectives import CropObjective
from training.learning.processes import Processes
from training.learning.starting_models import build_starting_model
from training.learning.surface import SampledSurface
from training.scoring.crop_errors import constant_answer, evaluate
from training.settings import TrainSettings
from training.train import CHECKPOINT, WEIGHTS, Run

pytestmark = pytest.mark.slow


def test_sampled_surface_equals_the_body_s(crops: CropFiles) -> None:
    arrays = load_builtin_body()
    learner_body = Body(arrays)
    batch = crops.batch(torch.arange(4))
    mesh = learner_body.mesh(batch.rotations, batch.betas)
    vertices, h36m, joints = SampledSurface(learner_body, 16)(batch.rotations, batch.betas)
    torch.testing.assert_close(vertices, mesh.vertices[:, ::16])
    torch.testing.assert_close(h36m, learner_body.h36m_joints(mesh.vertices))
    torch.testing.assert_close(joints, mesh.joints)


def test_the_truth_has_zero_error(crops: CropFiles, body: Body) -> None:
    one = crops.batch(torch.arange(16))
    errors = evaluate(
        lambda batch: constant_answer(one.rotations[0], one.betas[0])(batch), body, crops
    )
    assert errors.mpjpe[0] < 1e-3
    assert errors.mpve[0] < 1e-3
    assert errors.mpjpe[1:].min() > 1


def test_resuming_changes_nothing(settings: TrainSettings) -> None:
    straight = Run(replace(settings, autocast="none"))
    straight.train()
    stopped_settings = replace(settings, autocast="none", output=settings.output / "stopped")
    stopped = Run(stopped_settings)
    for batches in stopped.source.batches(0, 2):
        stopped.learner.step(batches)
    stopped.save()
    resumed = Run(stopped_settings)
    assert resumed.learner.step_count == 2
    resumed.train()
    wanted = straight.learner.state()
    for part in ("objective", "mean_model"):
        for name, values in resumed.learner.state()[part].items():
            assert torch.equal(values, wanted[part][name]), (part, name)


def test_a_run_stopped_between_its_files_ends_with_the_last_weights(
    settings: TrainSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings, steps=2)
    written: set[str] = set()

    def put_one(partial: Path, path: Path, *, sync: bool = True) -> None:
        written.add(path.name)
        if {CHECKPOINT, WEIGHTS} <= written:
            raise OSError("the power failed")
        partial.replace(path)

    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "put_in_place", put_one)
        with pytest.raises(OSError, match="the power failed"):
            Run(settings).train()
    Run(settings).train()
    record = torch.load(settings.output / WEIGHTS, weights_only=True)["record"]
    assert record["steps"] == record["all steps"] == settings.steps


def test_checkpoints_that_cannot_be_loaded_are_named(settings: TrainSettings) -> None:
    run = Run(settings)
    run.save()
    remedy = "set output to another folder, or remove the checkpoint"
    whole = run.checkpoint.read_bytes()
    run.checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"{CHECKPOINT} must be .* cannot be read .*; {remedy}"):
        Run(settings)
    run.checkpoint.write_bytes(whole)
    saved = torch.load(run.checkpoint, weights_only=True)
    weights = saved["learner"]["objective"]
    missing = next(iter(weights))
    del weights[missing]
    torch.save(saved, run.checkpoint)
    with pytest.raises(ValueError, match=rf"{CHECKPOINT} must fit .*{missing}.*; {remedy}"):
        Run(settings)
    del saved["best"]
    torch.save(saved, run.checkpoint)
    with pytest.raises(ValueError, match=rf"{CHECKPOINT} must fit .* \('best'\); {remedy}"):
        Run(settings)


def test_a_partial_line_of_the_log_does_not_stop_a_run(
    settings: TrainSettings,
) -> None:
    first = Run(settings)
    first.train()
    whole = first.log.read_text()
    first.log.write_text(f'{whole}{{"step": 1, "ho')
    Run(settings)
    assert first.log.read_text() == whole


def test_exported_weights_load_strictly(settings: TrainSettings) -> None:
    run = Run(settings)
    run.train()
    path = settings.output / WEIGHTS
    model = load_model(path, body=load_builtin_body())
    for name, values in run.learner.mean_model.named_parameters():
        stored = values.bfloat16().float() if values.numel() >= 600 else values
        torch.testing.assert_close(
            model.get_parameter(name), stored, rtol=0, atol=0, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert path.stat().st_size < 12e6


def test_checkpoints_of_other_settings_are_refused(settings: TrainSettings) -> None:
    Run(settings).save()
    with pytest.raises(ValueError, match="same settings"):
        Run(replace(settings, seed=1))


def test_other_starting_weights_under_the_same_name_are_refused(
    settings: TrainSettings, tmp_path: Path
) -> None:
    """As after an earlier phase was trained anew."""
    first = Run(settings)
    path = tmp_path / "before.pt"
    first.export(path)
    continued = replace(settings, initial=path, output=tmp_path / "continued")
    Run(continued).save()
    Run(continued)
    with torch.no_grad():
        next(first.learner.mean_model.parameters()).mul_(2)
    first.export(path)
    with pytest.raises(ValueError, match="must come from the same starting weights, got another"):
        Run(continued)


def test_rendered_crops_need_the_body_that_they_show(
    settings: TrainSettings, tmp_path: Path
) -> None:
    arrays = load_builtin_body()
    save_smpl_npz(replace(arrays, v_template=1.1 * arrays.v_template), tmp_path / "body.npz")
    regressor = tmp_path / "regressor.npy"
    assert arrays.J_regressor_h36m is not None
    np.save(regressor, arrays.J_regressor_h36m)
    other = replace(settings, body=tmp_path / "body.npz", regressor=regressor)
    with pytest.raises(ValueError, match="must have the body that they show, the built-in one"):
        Run(other)


def test_a_loss_that_is_not_a_number_stops_with_the_previous_weights(
    settings: TrainSettings, crops: CropFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = replace(settings, warm_up=0)
    objective = CropObjective(build_starting_model(given), given)
    learner = Learner(given, objective, Processes(), given.steps)
    batch = crops.batch(torch.arange(2))
    learner.step([batch])
    before = {name: values.clone() for name, values in learner.model.named_parameters()}
    monkeypatch.setattr(objective, "weigh", lambda totals: torch.stack(totals).sum() * torch.nan)
    with pytest.raises(FloatingPointError, match="the loss must stay near"):
        learner.step([batch])
    assert all(torch.equal(v, before[name]) for name, v in learner.model.named_parameters())


def test_an_exploding_loss_stops_with_the_previous_weights(crops: CropFiles) -> None:
    settings = TrainSettings(steps=60, warm_up=0, batch=4, autocast="none", data=CropData())
    objective = CropObjective(build_starting_model(settings), settings)
    learner = Learner(settings, objective, Processes(), settings.steps)
    batch = crops.batch(torch.arange(4))
    learner.step([batch])
    before = {name: values.clone() for name, values in learner.model.state_dict().items()}
    with pytest.raises(FloatingPointError, match="the loss must stay near"):
        learner.step([replace(batch, betas=batch.betas * 1e6 + 1e6)])
    weights = dict(learner.model.named_parameters())
    assert all(torch.equal(values, before[name]) for name, values in weights.items())


def test_a_few_crops_can_be_memorised(crops: CropFiles) -> None:
    settings = TrainSettings(steps=60, warm_up=5, batch=2, autocast="none", data=CropData())
    objective = CropObjective(build_starting_model(settings), settings)
    learner = Learner(settings, objective, Processes(), settings.steps)
    batch = crops.batch(torch.arange(2))
    totals = [learner.step([batch])["total"] for _ in range(44)]  # then it is 0.06 of the first
    assert totals[-1] < 0.2 * totals[0]
