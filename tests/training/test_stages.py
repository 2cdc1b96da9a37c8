"""From data sets to error metrics, each step through its real command."""

import contextlib
import csv
import importlib
import io
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from smpler_model.body.smpl import Body
from smpler_model.network.config import SMPLER_NANO
from tests.forked import ForkedProgram
from training.data.render_people import render_people

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PEOPLE = 12


@dataclass(frozen=True)
class Done:
    returncode: int
    stderr: str


def run(module: str, *arguments: object) -> Done:
    """Run a command's entry point in this process, as starting Python repeatedly takes longer."""
    errors = io.StringIO()
    given = [module, *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(errors):
        patch.setattr(sys, "argv", given)
        patch.chdir(ROOT)
        code = importlib.import_module(module).main()
    return Done(code, errors.getvalue())


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    names = ("mixed/first.yaml", "mixed/second.yaml", "test/people.yaml")
    render_people([folder / name for name in names], PEOPLE, SMPLER_NANO.image_size)
    return folder


@pytest.fixture(scope="module")
def trained(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of three stages, an epoch each."""
    runs = tmp_path_factory.mktemp("runs")
    before = "null"
    for stage in ("backbone", "smpler", "finetune"):
        done = run(
            "training.train",
            f"config/train/synthetic_{stage}.yaml",
            *(f"data.root={people}", f"output={runs / stage}", f"initial={before}"),
            *("epochs=1", "batch=8", "threads=1", "evaluate_every=2", "log_every=1"),
        )
        assert done.returncode == 0, done.stderr
        before = str(runs / stage / "weights.pt")
    return runs


def test_each_stage_starts_from_the_previous_one(trained: Path) -> None:
    states = {
        name: torch.load(trained / name / "weights.pt", weights_only=True)
        for name in ("backbone", "smpler", "finetune")
    }
    assert not any(key.startswith("transformer.") for key in states["backbone"]["model"])
    assert any(key.startswith("transformer.") for key in states["smpler"]["model"])
    for name, state in states.items():
        assert state["record"]["settings"]["output"].endswith(name)
        assert (trained / name / "configuration.yaml").is_file()
        assert (trained / name / "best.pt").is_file()
        assert list((trained / name).glob("events.out.tfevents.*"))
        lines = (trained / name / "log.jsonl").read_text().splitlines()
        assert {"MPJPE", "PA-MPJPE", "MPVE", "total"} <= set(json.loads(lines[-1]))


def evaluation(trained: Path, people: Path, output: Path) -> list[str]:
    checkpoint = trained / "finetune" / "weights.pt"
    return [
        *("config/evaluate/synthetic.yaml", f"root={people}", f"checkpoint={checkpoint}"),
        *(f"output={output}", "batch=7", "threads=1"),
    ]


def short_training(stage: str, initial: str, people: Path, output: Path) -> list[str]:
    """Several steps: PyTorch reports weights without a gradient in the second one."""
    return [
        *(f"config/train/synthetic_{stage}.yaml", f"data.root={people}", f"output={output}"),
        *(f"initial={initial}", "batch=4", "epochs=0", "steps=3", "threads=1"),
        *("evaluate_every=100", "log_every=1"),
    ]


@pytest.fixture(scope="module")
def shared(people: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what two processes trained and evaluated together."""
    folder = tmp_path_factory.mktemp("shared")
    before = str(trained / "backbone" / "weights.pt")
    commands = [
        ["training.train", *short_training("backbone", "null", people, folder / "backbone")],
        ["training.train", *short_training("smpler", before, people, folder / "smpler")],
        ["training.evaluate", *evaluation(trained, people, folder / "evaluation")],
    ]
    (folder / "commands.json").write_text(json.dumps(commands))
    with ForkedProgram("tests.training.in_turn", [str(folder / "commands.json")]) as program:
        assert program.wait(timeout_s=300.0) == 0, program.output
    return folder


def test_two_processes_evaluate_everybody_once(
    trained: Path, people: Path, shared: Path, tmp_path: Path
) -> None:
    alone = run("training.evaluate", *evaluation(trained, people, tmp_path))
    assert alone.returncode == 0, alone.stderr
    texts = [(each / "people.csv").read_text() for each in (tmp_path, shared / "evaluation")]
    tables = [list(csv.DictReader(text.splitlines())) for text in texts]
    assert [row["key"] for row in tables[0]] == [row["key"] for row in tables[1]]
    assert len(tables[0]) == PEOPLE
    for one, other in zip(*tables, strict=True):
        assert float(one["MPJPE"]) == pytest.approx(float(other["MPJPE"]), rel=1e-4)
    summary = json.loads((tmp_path / "summary.json").read_text())
    mean = sum(float(row["MPJPE"]) for row in tables[0]) / PEOPLE
    assert summary["means"]["MPJPE"] == pytest.approx(mean)
    assert summary["means"]["Accel"] is None  # each person is a sequence
    assert len(summary["regressor_sha256"]) == 64
    assert summary["conventions"]["origin"] == "hips"
    assert summary["body"] == "the built-in one"


def small_run(people: Path, output: Path, *more: str) -> list[str]:
    return [
        *("config/train/synthetic_smpler.yaml", f"data.root={people}", f"output={output}"),
        *("initial=null", "batch=8", "epochs=2", "threads=1", "checkpoint_every=1"),
        *("evaluate_every=100", *more),
    ]


def test_a_run_killed_at_any_time_resumes(people: Path, tmp_path: Path) -> None:
    straight = run("training.train", *small_run(people, tmp_path / "straight"))
    assert straight.returncode == 0, straight.stderr
    killed = tmp_path / "killed"
    with ForkedProgram("training.train", small_run(people, killed)) as program:
        while not (killed / "last.pt").is_file():
            assert program.is_running
            time.sleep(0.02)
    resumed = run("training.train", *small_run(people, killed))
    assert resumed.returncode == 0, resumed.stderr
    one, other = (
        torch.load(tmp_path / name / "weights.pt", weights_only=True)["model"]
        for name in ("straight", "killed")
    )
    assert all(torch.equal(values, other[name]) for name, values in one.items())
    steps = [json.loads(line)["step"] for line in (killed / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("stage", ["backbone", "smpler"])
def test_two_processes_train_each_stage(shared: Path, stage: str) -> None:
    state = torch.load(shared / stage / "weights.pt", weights_only=True)
    assert state["record"]["processes"] == 2
    assert state["record"]["steps"] == 3
    assert all(values.isfinite().all() for values in state["model"].values())
    assert not list((shared / stage).glob(".*"))


def test_mistakes_end_in_one_sentence(people: Path, tmp_path: Path) -> None:
    for overrides, word in (
        (["data.root=nowhere"], "nowhere"),
        (["batch=1000"], "1000"),
        (["initial=none.pt"], "none.pt"),
        (["data.validation_share=0.0000001"], "validation_share"),
        (["device=cuda"], "cuda") if not torch.cuda.is_available() else (["stage=x"], "stage"),
    ):
        done = run(
            "training.train",
            "config/train/synthetic_backbone.yaml",
            *(f"data.root={people}", f"output={tmp_path}", *overrides),
        )
        assert done.returncode == 1
        lines = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        assert len(lines) == 1, done.stderr
        assert word in lines[0]


def test_body_is_the_built_in_one(trained: Path, body: Body) -> None:
    """Files of the data-set stages include their body, like official ones."""
    state = torch.load(trained / "finetune" / "weights.pt", weights_only=True)["model"]
    torch.testing.assert_close(state["smpl_handler.smpl.v_template"], body.v_template)
