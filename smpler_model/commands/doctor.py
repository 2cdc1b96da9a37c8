"""`doctor`: what this machine has, what is wrong with it, and how fast the network is."""

import argparse
import logging
import os
import sys
from dataclasses import dataclass

from smpler_model.commands.command import Commands
from smpler_model.commands.flags import add_flags, add_params_flag, read_settings
from smpler_model.machine.finding import Finding, shown
from smpler_model.machine.graphics import check_gpu
from smpler_model.machine.packages import check_onnxruntime, check_python, check_torch
from smpler_model.machine.ros import check_ros
from smpler_model.machine.shared_memory import check_shared_memory
from smpler_model.settings.pipeline import (
    DETECTOR_DESCRIPTION,
    DETECTORS,
    ModelSettings,
    PipelineSettings,
)
from smpler_model.settings.setting import setting


@dataclass(frozen=True, kw_only=True)
class CheckedSettings(PipelineSettings):
    """Settings of a node, of which the network's are checked; its boxes may come from a topic."""

    detector: str = setting(
        "person", f"{DETECTOR_DESCRIPTION}, topic.", choices=(*DETECTORS, "topic")
    )


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "doctor", help="check this machine: packages, GPU, ROS 2, files, and the network's speed"
    )
    add_params_flag(parser)
    add_flags(parser, ModelSettings)
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print what was found, with a remedy for each problem.

    Returns:
        0, or 1 if there is a problem.

    Raises:
        ValueError: a parameter file that is none, or a value that is refused.
        OSError: a parameter file that cannot be read.
    """
    settings = read_settings(chosen, CheckedSettings)
    logging.disable(logging.WARNING)  # what they say is among the findings
    try:
        findings = examine(settings)
    finally:
        logging.disable(logging.NOTSET)
    problems = sum(bool(finding.problem) for finding in findings)
    sys.stdout.write(shown(findings) + "\n")
    sys.stdout.write(
        {0: "no problem found\n", 1: "1 problem\n"}.get(problems, f"{problems} problems\n")
    )
    return int(problems > 0)


def examine(settings: PipelineSettings) -> list[Finding]:
    """Return the findings on this machine, with the network that the settings name."""
    torch = check_torch()
    gpu = check_gpu(settings.device)
    on_gpu = not gpu.problem and "compute capability" in gpu.state and settings.device != "cpu"
    findings = [
        *(check_python(), torch, gpu, check_onnxruntime(on_gpu=on_gpu)),
        *(*check_ros(os.environ), check_shared_memory()),
    ]
    if not torch.problem:
        findings += check_network(settings)
    return findings


def check_network(settings: PipelineSettings) -> list[Finding]:
    """Load the model and its body, and let the backend check itself."""
    # Imported here because PyTorch may be what is missing.
    from smpler_model.assembly import build_checked, choose_device, load_named_model

    try:
        model = load_named_model(settings)
    except (ValueError, OSError) as error:
        return [Finding("model", settings.model, str(error))]
    body = settings.body or "the checkpoint's body, or the built-in one"
    loaded = Finding("model", f"{settings.model} ({model.config.name}) with {body}")
    try:
        checked = build_checked(model, settings, choose_device(settings.device))
    except (ValueError, OSError, MemoryError) as error:
        return [loaded, Finding("network", "does not run", str(error))]
    problem = f"refused: {'; '.join(checked.refused)}" if checked.refused else ""
    if problem:
        problem += "; results are right, only slower; compare the versions above with README.md"
    return [loaded, Finding("network", checked.summary, problem)]
