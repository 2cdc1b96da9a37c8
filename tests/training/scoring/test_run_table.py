"""The table that compares training runs."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from training.scoring.run_table import main, read_run, write_table


def write_run(folder: Path, lines: list[dict[str, float]], /, **data: object) -> Path:
    folder.mkdir()
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "configuration.yaml").write_text(yaml.safe_dump({"data": data}))
    return folder


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    parts = [{"data": {"folder": "runs/crops"}}, {"data": {"folder": "datasets/photos"}}]
    lines = [
        {"step": 100, "hours": 0.1, "crops total": 9.0, "MPJPE": 200.0, "PCK@0.1-1": 0.4},
        {"step": 300, "hours": 0.34, "crops total": 7.0, "MPJPE": 123.45, "PCK@0.1-1": 0.5678},
        {"step": 320, "hours": 0.36, "crops total": 6.0},
    ]
    return write_run(tmp_path / "mixed", lines, kind="mixed", parts=parts)


def test_the_last_validation_is_shown_by_source(mixed: Path, tmp_path: Path) -> None:
    lines = [{"step": 5, "hours": 2.0, "MPJPE": 88.0, "PA-MPJPE": 61.04}]
    single = write_run(tmp_path / "single", lines, kind="crops", folder="elsewhere/crops")
    table = write_table([read_run(mixed), read_run(single)])
    assert table.splitlines() == [
        "| run | steps | hours | crops MPJPE | photos PCK@0.1 | crops PA-MPJPE |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| {mixed} | 300 | 0.34 | 123.5 | 0.568 |  |",
        f"| {single} | 5 | 2.00 | 88.0 |  | 61.0 |",
    ]


def test_sources_of_one_name_are_numbered_and_a_partial_line_is_skipped(tmp_path: Path) -> None:
    parts = [{"data": {"folder": f"{name}/crops"}} for name in ("one", "two")]
    lines = [{"step": 5, "hours": 1.0, "MPJPE": 90.0, "MPJPE-1": 80.0}]
    run = write_run(tmp_path / "run", lines, parts=parts)
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 7, "MPJPE": 7')
    assert read_run(run).errors == {"crops 1 MPJPE": 90.0, "crops 2 MPJPE": 80.0}


def test_a_run_without_validation_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [{"step": 1, "hours": 0.0}], folder="crops")
    with pytest.raises(ValueError, match=r"must have a validation, got none; train on"):
        read_run(folder)


def test_the_command(
    mixed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["run_table", str(mixed)])
    assert main() == 0
    assert f"| {mixed} | 300 |" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["run_table", str(mixed / "none")])
    assert main() == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {mixed / 'none'} must be the output of a training run")
    assert error.count("\n") == 1
