"""`export`: writes a checkpoint in a format for other programs."""

from __future__ import annotations

import argparse
import sys

from smpler_model.commands.flags import read_path

_SUFFIXES = {"onnx": ".onnx", "tensorrt-ready-onnx": ".trt.onnx"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    export = commands.add_parser("export", help="write a network for other programs")
    export.add_argument("checkpoint", type=read_path, help="a .pt file, official or native")
    export.add_argument("--format", choices=tuple(_SUFFIXES), default="onnx")
    export.add_argument(
        "--output", type=read_path, help="output file; default: beside the checkpoint"
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
    from smpler_model.body.builtin import load_builtin_body
    from smpler_model.body.smpl_file import load_chosen_body
    from smpler_model.checkpoints.files import load_model
    from smpler_model.inference.export import export_model

    body = load_chosen_body(chosen.body, chosen.gender)
    model = load_model(chosen.checkpoint, body=body, default_body=load_builtin_body)
    target = chosen.output or chosen.checkpoint.with_suffix(_SUFFIXES[chosen.format])
    sys.stdout.write(export_model(model, target, chosen.format) + "\n")
    return 0
