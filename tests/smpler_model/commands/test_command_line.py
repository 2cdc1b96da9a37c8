import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.commands.command_line import main
from smpler_model.network.smpler import Smpler


@pytest.mark.slow
def test_info_runs_as_a_command(nano_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smpler_model", "info", nano_file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "smpler_nano, decoupled attention" in done.stdout


def test_info_describes_a_shipped_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "smpler_nano"]) == 0
    printed = capsys.readouterr().out
    assert "smpler_nano.pt" in printed
    assert "yes, every key and shape fits" in printed


@pytest.mark.parametrize("command", ["info", "export"])
def test_a_model_that_is_neither_shipped_nor_a_file_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "smpler_pico"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: model must be smpler_nano or a checkpoint's path, got 'smpl")
    assert error.count("\n") == 1


def test_info_accepts_a_body_and_lists_keys(
    nano: Smpler, body_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "bare.pt"
    save_checkpoint(nano, checkpoint, include_body=False)
    assert main(["info", str(checkpoint), "--body", str(body_file), "--keys"]) == 0
    printed = capsys.readouterr().out
    assert "yes, every key and shape fits" in printed
    assert "blocks.1.camera_delta.bias" in printed


def test_a_file_without_a_body_is_tried_with_the_builtin_one(
    nano: Smpler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "bare.pt"
    save_checkpoint(nano, checkpoint, include_body=False)
    assert main(["info", str(checkpoint)]) == 0
    assert "yes, every key and shape fits" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [pytest.param(None, id="missing"), pytest.param(b"broken", id="broken")]
)
def test_bad_files_give_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "bad.pt"
    if content is not None:
        path.write_bytes(content)
    assert main(["info", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("command", ["info", "export", "run"])
def test_a_gender_without_bodies_is_refused(
    command: str,
    nano_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("person.png", np.zeros((48, 64, 3), np.uint8))
    image = ["person.png", "--detector", "full_image", "--model"] if command == "run" else []
    assert main([command, *image, str(nano_file), "--gender", "female"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: gender chooses from a folder of SMPL files, got female and no")
    assert error.count("\n") == 1


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
