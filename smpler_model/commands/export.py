"""`export`: writes a model in a format for other programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from smpler_model.commands.flags import read_path, read_text
from smpler_model.commands.info import MODEL
from smpler_model.settings.pipeline import BodySettings

_SUFFIXES = {"onnx": ".onnx", "tensorrt-ready-onnx": ".trt.onnx"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    export = commands.add_parser("export", help="write a network for other programs")
    export.add_argument("model", type=read_text, help=MODEL)
    export.add_argument("--format", choices=tuple(_SUFFIXES), default="onnx")
    export.add_argument(
        "--output",
        type=read_path,
        help="output file; default: beside the checkpoint, in this folder for smpler_nano",
    )
    export.add_argument(
        "--body",
        type=read_path,
        help="a SMPL file or a folder of them, replacing the checkpoint's body",
    )
    export.add_argument("--gender", choices=("neutral", "male", "female"), default="neutral")
    export.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Write the file and print the result of its verification.

    Raises:
        ValueError: a file that does not fit, or a package that is missing.
        OSError: a file that cannot be read or written.
    """
    # Imported here so that `--help` does not wait for PyTorch.
    from smpler_model.assembly import load_named_model
    from smpler_model.inference.export import export_model

    body = str(chosen.body or "")
    model = load_named_model(BodySettings(model=chosen.model, body=body, gender=chosen.gender))
    # A shipped model's name is no path: its file is written into the current folder.
    target = chosen.output or Path(chosen.model).with_suffix(_SUFFIXES[chosen.format])
    sys.stdout.write(export_model(model, target, chosen.format) + "\n")
    return 0
