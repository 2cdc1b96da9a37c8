"""Plots of errors, for cameras with any names."""

from pathlib import Path

import pytest

from smpler_ros.bags.accuracy import EVALUATED_NAMES, FIGURES
from smpler_ros.bags.plots import plot_errors
from smpler_ros.bags.records import PersonRecord
from smpler_ros.bags.run_statistics import RunStatistics


@pytest.mark.parametrize("names", [("/a$b$", "/c"), ("/$", "/$x_{$"), ("/a\\b", "/é")])
def test_names_are_not_parsed_as_formulas(tmp_path: Path, names: tuple[str, str]) -> None:
    tally = RunStatistics()
    for camera in names:
        for index in range(3):
            figures = dict.fromkeys(FIGURES, 50.0)
            joints = [50.0] * len(EVALUATED_NAMES)
            tally.add_person(PersonRecord(camera, index, index * 10**8, 1, 1, figures, joints))
    files = plot_errors(tmp_path, tally)
    assert len(files) == 2
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
