"""The files in config/ and the page in docs/ agree with the settings' classes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.settings.run import RunSettings
from smpler_model.settings.setting import Value, table_of
from smpler_ros.parameters.parameter_file import NODES, main, yaml_value

CONFIG = Path(__file__).parents[3] / "config"
FILES = {
    "smpler_node": CONFIG / "camera.yaml",
    "synthetic_camera": CONFIG / "synthetic_camera.yaml",
    "camera_stand": CONFIG / "camera_stand.yaml",
    "viewer": CONFIG / "viewer.yaml",
}


@pytest.mark.parametrize("program", FILES)
def test_the_committed_file_equals_the_command_s_output(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--node", program]) == 0
    printed = capsys.readouterr().out
    command = f"python -m smpler_ros.parameters.parameter_file --node {program}"
    remedy = f"{command} > config/{FILES[program].name}"
    assert FILES[program].read_text() == printed, f"write it anew: {remedy}"
    assert max(map(len, printed.splitlines())) <= 99


@pytest.mark.parametrize("program", FILES)
def test_the_file_has_every_default_with_its_type(program: str) -> None:
    """An independent YAML reader finds the table's names, values and types."""
    values = yaml.safe_load(FILES[program].read_text())["/**"]["ros__parameters"]
    table = table_of(NODES[program])
    assert list(values) == [each.name for each in table]
    for each in table:
        expected = list(each.default) if isinstance(each.default, tuple) else each.default
        assert (type(values[each.name]), values[each.name]) == (type(expected), expected)
    assert NODES[program].from_values(values) == NODES[program]()


@pytest.mark.parametrize("program", FILES)
def test_the_comment_above_a_parameter_explains_it(program: str) -> None:
    lines = FILES[program].read_text().splitlines()
    for parameter in table_of(NODES[program]):
        row = next(i for i, line in enumerate(lines) if line.startswith(f"    {parameter.name}:"))
        words: list[str] = []
        while lines[row - 1].startswith("    #"):
            row -= 1
            words = lines[row].removeprefix("    #").split() + words
        comment = " ".join(words)
        assert parameter.description in comment
        assert parameter.unit in comment
        assert ("Can change at runtime" in comment) == parameter.live
        for choice in parameter.choices:
            assert choice in comment
        for bound in (parameter.minimum, parameter.maximum):
            assert bound is None or f"{bound:.12g}" in comment


def test_the_page_has_a_row_for_each_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--markdown"]) == 0
    printed = capsys.readouterr().out
    page = Path(__file__).parents[3] / "docs" / "parameters.md"
    remedy = "python -m smpler_ros.parameters.parameter_file --markdown > docs/parameters.md"
    assert page.read_text() == printed, f"write it anew: {remedy}"
    rows = [row.replace("\\|", "") for row in printed.splitlines() if row.startswith("| `")]
    table = [each for kind in NODES.values() for each in table_of(kind)]
    for each, row in zip(table, rows, strict=True):
        assert row.count("|") == 5
        kind = f"list of {each.kind.__name__}" if each.is_list else each.kind.__name__
        assert row.startswith(f"| `{each.name}` | {kind} |")
        assert each.description.replace("|", "") in row


def test_a_list_is_named_by_its_elements(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(NODES, "run", RunSettings)
    assert main(["--markdown"]) == 0
    assert "| `mesh_frame` | list of int |" in capsys.readouterr().out


@given(
    st.booleans()
    | st.integers(-(2**31), 2**31)
    | st.integers(-(10**12), 10**12).map(lambda n: n / 10**6)
    | st.text(max_size=20)
    | st.lists(st.text(max_size=5), max_size=3).map(tuple)
)
def test_values_are_read_back_with_their_type(value: Value) -> None:
    read = yaml.safe_load(f"a: {yaml_value(value)}")["a"]
    expected = list(value) if isinstance(value, tuple) else value
    assert (type(read), read) == (type(expected), expected)


def test_an_unknown_node_is_refused() -> None:
    command = [sys.executable, "-m", "smpler_ros.parameters.parameter_file", "--node", "nobody"]
    run = subprocess.run(command, cwd=CONFIG.parent, capture_output=True, text=True)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
