"""The files in config/ say what the tables say."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.parameters import Value, check_values, default_values
from smpler_ros.parameters.parameter_file import TABLES, main, yaml_value

CONFIG = Path(__file__).parents[3] / "config"
FILES = {
    "smpler_node": CONFIG / "camera.yaml",
    "synthetic_camera": CONFIG / "synthetic_camera.yaml",
}


@pytest.mark.parametrize("program", FILES)
def test_the_committed_file_is_what_the_command_prints(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--node", program]) == 0
    printed = capsys.readouterr().out
    command = f"python -m smpler_ros.parameters.parameter_file --node {program}"
    remedy = f"{command} > config/{FILES[program].name}"
    assert FILES[program].read_text() == printed, f"write it anew: {remedy}"
    assert max(map(len, printed.splitlines())) <= 99


@pytest.mark.parametrize("program", FILES)
def test_the_file_holds_every_default_with_its_type(program: str) -> None:
    """A YAML reader that is not ours finds names, values and types of the table."""
    values = yaml.safe_load(FILES[program].read_text())["/**"]["ros__parameters"]
    defaults = default_values(TABLES[program])
    assert list(values) == list(defaults)
    for name, default in defaults.items():
        expected = list(default) if isinstance(default, tuple) else default
        assert (type(values[name]), values[name]) == (type(expected), expected), name
    assert check_values(values, TABLES[program]) == defaults


@pytest.mark.parametrize("program", FILES)
def test_the_comment_above_a_parameter_explains_it(program: str) -> None:
    lines = FILES[program].read_text().splitlines()
    for parameter in TABLES[program]:
        row = next(i for i, line in enumerate(lines) if line.startswith(f"    {parameter.name}:"))
        words: list[str] = []
        while lines[row - 1].startswith("    #"):
            row -= 1
            words = lines[row].removeprefix("    #").split() + words
        comment = " ".join(words)
        assert parameter.description in comment
        assert parameter.unit in comment
        assert ("Can change at any time" in comment) == parameter.live
        for choice in parameter.choices:
            assert choice in comment
        for bound in (parameter.minimum, parameter.maximum):
            assert bound is None or f"{bound:.12g}" in comment


@pytest.mark.parametrize("program", FILES)
def test_the_markdown_table_has_a_row_for_each(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--node", program, "--markdown"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + len(TABLES[program])
    for parameter, row in zip(TABLES[program], rows[2:], strict=True):
        assert row.replace("\\|", "").count("|") == 4
        assert row.startswith(f"| `{parameter.name}` |")
        assert parameter.description in row.replace("\\|", "|")


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


def test_the_readme_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--node", "smpler_node", "--markdown"]) == 0
    table = capsys.readouterr().out.strip()
    readme = (CONFIG.parent / "README.md").read_text()
    remedy = "put in what python -m smpler_ros.parameters.parameter_file --markdown prints"
    assert table in readme, remedy
