"""The way from data sets to figures, each step through its real command."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from smpler_model.body import Body
from smpler_model.config import SMPLER_NANO
from training.render_people import render_people

ROOT = Path(__file__).parents[2]
PEOPLE = 24


def run(module: str, *arguments: object, processes: int = 1) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-W", "ignore"]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*start, "-m", module, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


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


def test_each_stage_begins_with_the_one_before(trained: Path) -> None:
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


def test_two_processes_evaluate_everybody_once(
    trained: Path, people: Path, tmp_path: Path
) -> None:
    for count in (1, 2):
        output = tmp_path / str(count)
        done = run("training.evaluate", *evaluation(trained, people, output), processes=count)
        assert done.returncode == 0, done.stderr
    texts = [(tmp_path / name / "people.csv").read_text() for name in ("1", "2")]
    tables = [list(csv.DictReader(text.splitlines())) for text in texts]
    assert [row["key"] for row in tables[0]] == [row["key"] for row in tables[1]]
    assert len(tables[0]) == PEOPLE
    for one, other in zip(*tables, strict=True):
        assert float(one["MPJPE"]) == pytest.approx(float(other["MPJPE"]), rel=1e-4)
    summary = json.loads((tmp_path / "1" / "summary.json").read_text())
    mean = sum(float(row["MPJPE"]) for row in tables[0]) / PEOPLE
    assert summary["means"]["MPJPE"] == pytest.approx(mean)
    assert summary["means"]["Accel"] is None  # each person is a sequence
    assert len(summary["regressor_sha256"]) == 64
    assert summary["conventions"]["origin"] == "hips"


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
    """Files of the data-set stages hold their body, as official ones do."""
    state = torch.load(trained / "finetune" / "weights.pt", weights_only=True)["model"]
    torch.testing.assert_close(state["smpl_handler.smpl.v_template"], body.v_template)
