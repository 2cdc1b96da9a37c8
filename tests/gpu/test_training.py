"""Training steps on a GPU."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Generator
from torch.nn.parallel import DistributedDataParallel

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.network.config import SMPLER_NANO
from synthetic.crops import CropRenderer
from training.data.crop_files import Batch, batch_of
from training.learning.learner import Learner
from training.learning.objectives import CropObjective
from training.learning.processes import Processes, join_processes
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings

SETTINGS = TrainSettings(steps=4, batch=4, threads=1, warm_up=0, autocast="none")


@pytest.fixture(scope="module")
def batch(device: torch.device) -> Batch:
    renderer = CropRenderer(Body(load_builtin_body()), SMPLER_NANO.image_size)
    return batch_of(renderer.draw(4, Generator().manual_seed(0))).to(device)


def learner_of(settings: TrainSettings, device: torch.device) -> Learner[Batch]:
    objective = CropObjective(build_starting_model(settings), settings)
    return Learner(settings, objective, Processes(device=device), settings.steps)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"autocast": "network"},
        {"autocast": "backbone"},
        {"autocast": "network", "autocast_type": "float16"},
        {"autocast": "network", "compile": True},
    ],
    ids=["float32", "bfloat16", "backbone in bfloat16", "float16", "compiled"],
)
def test_a_step_is_the_cpus(
    device: torch.device, batch: Batch, changes: dict[str, object]
) -> None:
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    found = learner_of(settings, device).step([batch])["total"]
    wanted = learner_of(SETTINGS, torch.device("cpu")).step([batch.to(torch.device("cpu"))])
    assert found == pytest.approx(wanted["total"], rel=0.05 if changes else 2e-3)


def test_a_run_that_goes_on_is_one_that_never_stopped(device: torch.device, batch: Batch) -> None:
    straight = learner_of(SETTINGS, device)
    losses = [straight.step([batch])["total"] for _ in range(4)]
    stopped = learner_of(SETTINGS, device)
    for _ in range(2):
        stopped.step([batch])
    resumed = learner_of(SETTINGS, device)
    resumed.load_state(stopped.state())
    assert [resumed.step([batch])["total"] for _ in range(2)] == pytest.approx(
        losses[2:], rel=1e-3
    )


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The environment of a process of torchrun, of one."""
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
        monkeypatch.setitem(os.environ, name, value)
    dist.init_process_group(
        "nccl",
        init_method=f"file://{tmp_path}/rendezvous",
        rank=0,
        world_size=1,
        device_id=torch.device("cuda", 0),
    )
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("torchrun")
def test_one_process_of_nccl(device: torch.device, batch: Batch) -> None:
    with join_processes("cuda") as processes:
        assert processes.device == device
    learner = learner_of(SETTINGS, device)
    shared = DistributedDataParallel(learner.objective, broadcast_buffers=False)
    found = shared(batch, learner._count(batch))
    found.loss.backward()
    total = found.loss.detach().clone()
    dist.all_reduce(total)
    dist.barrier()
    assert total.item() == pytest.approx(found.loss.item())
    gradients = [w.grad for w in learner.objective.parameters() if w.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
