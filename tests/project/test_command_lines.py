"""Values that no flag should get: one sentence, no traceback, nothing written."""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.commands.command_line import build_parser as smpler_parser
from smpler_model.commands.command_line import main as smpler
from smpler_ros.bags.command_line import build_parser as evaluate_bag_parser
from smpler_ros.bags.evaluate_bag import main as evaluate_bag
from smpler_ros.camera.synthetic_bag import build_parser as synthetic_bag_parser
from smpler_ros.camera.synthetic_bag import main as synthetic_bag
from smpler_ros.demo.demo import build_parser as demo_parser
from smpler_ros.demo.demo import main as demo

Main = Callable[[list[str]], int]

NOT_UTF8 = "\udcff"  # Python's representation of the byte 0xff in a command line
VALUES = ("nan", "inf", "-1", "99999999999999999999", "1e18", "", NOT_UTF8)
MISSING = "missing.mcap"
"""A missing input, so that even valid settings end in a sentence."""

_SMPLER = {
    name: next(
        each.choices[name]
        for each in smpler_parser()._actions
        if isinstance(each, argparse._SubParsersAction)
    )
    for name in ("run", "info", "export")
}
PROGRAMS: dict[str, tuple[Main, list[str], argparse.ArgumentParser]] = {
    **{name: (smpler, [name, MISSING], parser) for name, parser in _SMPLER.items()},
    "evaluate_bag": (evaluate_bag, [MISSING], evaluate_bag_parser()),
    "synthetic_bag": (synthetic_bag, ["missing/bag", "--quiet"], synthetic_bag_parser()),
    "demo": (demo, ["--input", MISSING], demo_parser()),
}


def flags_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the flags that take a value."""
    for action in parser._actions:
        if action.option_strings and action.nargs != 0 and action.dest != "help":
            yield action.option_strings[0]


def said(main: Main, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the sentence with which a program exits; usage may precede it."""
    try:
        status = main(arguments)
    except SystemExit as error:
        status = int(str(error.code))
    printed = capsys.readouterr().err
    assert status in (1, 2), printed
    before, _, last = printed.rstrip("\n").rpartition("\n")
    assert before.startswith("usage: ") if status == 2 else not before, printed
    assert "Traceback" not in printed
    return last


def fail_to_write(path: Path, *_: object) -> None:
    """Replace minutes of rendering if the settings are valid."""
    raise OSError(f"{path}: {MISSING}")


@pytest.mark.parametrize(
    ("program", "flag"),
    [(name, flag) for name, (_, _, parser) in PROGRAMS.items() for flag in flags_of(parser)],
)
def test_every_flag_accepts_or_refuses_every_value(
    program: str,
    flag: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr("smpler_ros.camera.synthetic_bag.write_scene_bag", fail_to_write)
    main, arguments, _ = PROGRAMS[program]
    for value in VALUES if flag != "--input" else VALUES[:-2]:  # empty is the synthetic camera
        sentence = said(main, [*arguments, f"{flag}={value}"], capsys)
        named = flag in sentence or flag[2:].replace("-", "_") in sentence
        assert named or "UTF-8" in sentence or MISSING in sentence or (value and value in sentence)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "flag", ["--model", "--body", "--device", "--camera-info", "--detector-weights", "--exported"]
)
def test_values_used_after_parsing_are_refused_in_a_sentence(
    flag: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("person.png", np.zeros((48, 64, 3), np.uint8))
    if value == "" and flag in ("--body", "--camera-info", "--exported"):
        return  # none, as by default
    detector = "onnx" if flag == "--detector-weights" else "full_image"
    backend = "onnxruntime" if flag == "--exported" else "plain"
    options = ["--detector", detector, "--backend", backend]
    assert said(smpler, ["run", "person.png", *options, f"{flag}={value}"], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["person.png"]
