"""Compares training runs: `python -m training.scoring.run_table runs/with runs/without`.

Prints a Markdown table of the runs' last validations as their logs have them, with a column for
each error and source of people.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from training.train import CONFIGURATION, LOG

_ERROR = re.compile(r"(PA-MPJPE|MPJPE|MPVE|PCK@[\d.]+)(?:-(\d+))?")


@dataclass(frozen=True)
class LastErrors:
    """A run's last validation.

    Attributes:
        name: the run's folder.
        steps: steps until then.
        hours: hours until then.
        errors: means by source and metric, in millimetres or, of PCK, as a fraction.
    """

    name: str
    steps: int
    hours: float
    errors: dict[str, float]


def read_run(folder: Path) -> LastErrors:
    """Read a run's last validation.

    Raises:
        FileNotFoundError: the folder has no run.
        ValueError: the run was never validated.
    """
    for name in (LOG, CONFIGURATION):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} must be the output of a training run, got a folder without {name}; "
                "give the folder that the run's configuration calls output"
            )
    sources = _name_sources(yaml.safe_load((folder / CONFIGURATION).read_text(encoding="utf-8")))
    for line in reversed((folder / LOG).read_text(encoding="utf-8").splitlines()):
        try:
            values = json.loads(line)
        except ValueError:  # power failed while it was written
            continue
        errors = {}
        for name, value in values.items():
            if match := _ERROR.fullmatch(name):
                errors[f"{sources[int(match[2] or 0)]} {match[1]}"] = float(value)
        if errors:
            return LastErrors(str(folder), values["step"], values["hours"], errors)
    raise ValueError(
        f"{folder / LOG} must have a validation, got none; train on, or lower evaluate_every"
    )


def write_table(runs: Sequence[LastErrors]) -> str:
    """Return a Markdown table with a row for each run; errors that a run lacks are left empty."""
    names = list(dict.fromkeys(name for run in runs for name in run.errors))
    header = ["run", "steps", "hours", *names]
    rows = [
        [
            run.name,
            str(run.steps),
            f"{run.hours:.2f}",
            *(_write(name, run.errors.get(name)) for name in names),
        ]
        for run in runs
    ]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    """Parse the command line and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Compare training runs by their last validation.")
    parser.add_argument("folders", nargs="+", type=Path, help="outputs of training runs")
    try:
        table = write_table([read_run(folder) for folder in parser.parse_args().folders])
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{table}\n")
    return 0


def _name_sources(configuration: dict[str, Any]) -> list[str]:
    """Return the names of the sources' folders, in the order of the numbers in the log."""
    data = configuration["data"]
    parts = [part["data"] for part in data["parts"]] if "parts" in data else [data]
    names = [Path(part.get("folder") or part["root"]).name for part in parts]
    return [
        name if names.count(name) == 1 else f"{name} {number}"
        for number, name in enumerate(names, 1)
    ]


def _write(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if "PCK" in name else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
