"""Several processes compute the same as one."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from smpler_model.body.builtin import load_builtin_body
from smpler_model.network.initialisation import build_backbone_model, build_model
from tests.forked import forking_context
from tests.small_hrnet import SMALL_HRNET
from training.data.datasets import TsvDataset
from training.data.labelled_people import LabelledPeople, collate
from training.learning.learner import Learner
from training.learning.objectives import PeopleObjective
from training.learning.processes import (
    Processes,
    SharedBatchNorm,
    choose_products,
    device_of_process,
    join_processes,
)
from training.settings import TrainSettings

pytestmark = pytest.mark.slow

SHARES = ((0, 3), (3, 8))
"""Rows of each process: different numbers of people and labels."""

SETTINGS = TrainSettings(autocast="none", clip=0, ema=0, warm_up=0, threads=1, device="cpu")


@dataclass(frozen=True)
class Outcome:
    loss: float
    gradients: dict[str, Tensor]
    statistics: dict[str, Tensor]


STAGES = {"backbone": build_backbone_model, "smpler": build_model}


def learn(people: LabelledPeople, processes: Processes, stage: str = "smpler") -> Outcome:
    """Take two steps in float64 from seeded weights, and return the first one's outcome."""
    torch.manual_seed(0)
    model = STAGES[stage](SMALL_HRNET, load_builtin_body())
    objective = PeopleObjective(model, SETTINGS).double()
    learner = Learner(SETTINGS, objective, processes, steps=10)
    batches = people.to(torch.device("cpu"), torch.float64).split(len(people))
    numbers = learner.step(batches)
    statistics = {name: b.clone() for name, b in learner.model.backbone.named_buffers()}
    gradients = {name: g.clone() for name, g in gradients_of(learner.objective).items()}
    learner.step(batches)
    return Outcome(numbers["total"], gradients, statistics)


def gradients_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def assert_gradients_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Compare relative to the largest entry, as some gradients are zero except for rounding."""
    assert found.keys() == expected.keys()
    scale = max(float(gradient.abs().max()) for gradient in expected.values())
    assert scale > 1
    for name, gradient in expected.items():
        assert (found[name] - gradient).abs().max() < 1e-11 * scale, name


def learn_in_child(rank: int, folder: Path, people: LabelledPeople) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=len(SHARES))
    rows = slice(*SHARES[rank])
    values = {name: value[rows] for name, value in vars(people).items() if name != "faults"}
    for stage in STAGES:
        outcome = learn(LabelledPeople(**values), Processes(rank, len(SHARES)), stage)
        torch.save(vars(outcome), folder / f"{stage}_{rank}.pt")
    copied = torch.full((2,), float(rank))
    Processes(rank, len(SHARES)).copy_first([copied])
    torch.save(copied, folder / f"copied_{rank}.pt")
    dist.destroy_process_group()


def learn_in_children(folder: Path, people: LabelledPeople) -> None:
    """Fork a process for each rank: importing takes longer than learning."""
    torch.set_num_threads(1)
    build_backbone_model(SMALL_HRNET, load_builtin_body())  # imports timm
    importlib.import_module("torch._dynamo")  # as optimisers do
    torch.multiprocessing.start_processes(
        learn_in_child, (folder, people), nprocs=len(SHARES), start_method="fork"
    )


@pytest.fixture(scope="module")
def people(seeded_data: Path) -> LabelledPeople:
    dataset = TsvDataset(seeded_data / "eval.yaml", SMALL_HRNET.image_size)
    return collate([dataset[row] for row in range(len(dataset))])


@pytest.fixture(scope="module", params=STAGES)
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def whole(people: LabelledPeople, stage: str) -> Outcome:
    return learn(people, Processes(), stage)


@pytest.fixture(scope="module")
def folder(people: LabelledPeople, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the processes have computed."""
    folder = tmp_path_factory.mktemp("processes")
    given = (folder, people)
    process = forking_context().Process(target=learn_in_children, args=given)
    process.start()
    process.join(timeout=300.0)
    assert process.exitcode == 0, "a process failed, or did not end"
    return folder


def read_ranks(folder: Path, name: str) -> list[Any]:
    ranks = range(len(SHARES))
    return [torch.load(folder / f"{name}_{rank}.pt", weights_only=True) for rank in ranks]


@pytest.fixture(scope="module")
def shared(folder: Path, stage: str) -> list[dict[str, Any]]:
    return read_ranks(folder, stage)


def test_gradients_equal_the_whole_batch_s(whole: Outcome, shared: list[dict[str, Any]]) -> None:
    for outcome in shared:
        assert outcome["loss"] == pytest.approx(whole.loss, rel=1e-9)
        assert_gradients_equal(outcome["gradients"], whole.gradients)


def test_statistics_equal_the_whole_batch_s(whole: Outcome, shared: list[dict[str, Any]]) -> None:
    for outcome in shared:
        for name, expected in whole.statistics.items():
            torch.testing.assert_close(outcome["statistics"][name], expected, msg=name)


def test_all_ranks_get_the_first_s_tensors(folder: Path) -> None:
    assert [each.tolist() for each in read_ranks(folder, "copied")] == [[0.0, 0.0]] * len(SHARES)


def test_parts_of_a_batch_without_statistics_add_up(people: LabelledPeople) -> None:
    """If nothing depends on the batch, accumulating equal parts equals one batch."""
    all_labelled = people.rows[(people.has_smpl == 1) & (people.has_joints == 1)].tolist()[:4]
    values = {
        name: value[all_labelled] if isinstance(value, Tensor) else ()
        for name, value in vars(people).items()
    }
    batch = LabelledPeople(**values)

    def learn_frozen(parts: int) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = build_model(SMALL_HRNET, load_builtin_body())
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.forward = _normalise_as_evaluated.__get__(module)  # type: ignore[method-assign]
        objective = PeopleObjective(model, SETTINGS).double()
        learner = Learner(SETTINGS, objective, Processes(), steps=10)
        learner.step(batch.to(torch.device("cpu"), torch.float64).split(len(batch) // parts))
        return gradients_of(objective)

    assert_gradients_equal(learn_frozen(2), learn_frozen(1))


def _normalise_as_evaluated(self: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return nn.functional.batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, training=False
    )


def test_shared_batch_norm_evaluates_as_usual() -> None:
    torch.manual_seed(0)
    usual, shared = nn.BatchNorm2d(3), SharedBatchNorm(3)
    x = torch.randn(4, 3, 5, 5)
    usual(x)
    shared.load_state_dict(usual.state_dict())
    assert torch.equal(shared.eval()(x), usual.eval()(x))


def test_one_process_is_the_usual_case() -> None:
    with join_processes("cpu") as processes:
        assert processes.is_first
        assert processes.gather(3) == [3]
        assert processes.mean(torch.tensor([2.0])).tolist() == [2.0]


def test_independent_trainings_from_srun_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_NTASKS", "2")
    with pytest.raises(ValueError, match="got 2 from srun"), join_processes("cpu"):
        pass
    monkeypatch.setenv("SLURM_NTASKS", "1")
    with join_processes("cpu") as processes:
        assert processes.count == 1


def test_float32_products_are_exact_by_default() -> None:
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        for tf32 in (True, False):
            choose_products(tf32=tf32)
            assert torch.backends.cudnn.allow_tf32 is tf32
            assert torch.backends.cuda.matmul.allow_tf32 is tf32
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_an_error() -> None:
    with pytest.raises(ValueError, match="without a GPU"):
        device_of_process("cuda")
    assert device_of_process("auto").type == "cpu"
