import argparse
from pathlib import Path

import pytest

from smpler_model.commands.flags import add_flags, add_params_flag, read_settings
from smpler_model.settings.pipeline import PipelineSettings
from smpler_model.settings.run import RunSettings
from smpler_model.settings.setting import Settings, table_of


def read(*arguments: str, kind: type[Settings] = RunSettings) -> Settings:
    parser = argparse.ArgumentParser()
    add_params_flag(parser)
    add_flags(parser, kind)
    return read_settings(parser.parse_args(arguments), kind)


def test_without_flags_the_defaults_hold() -> None:
    assert read() == RunSettings()


def test_every_setting_has_a_flag_of_its_type() -> None:
    for each in table_of(PipelineSettings):
        flag, default = "--" + each.name.replace("_", "-"), each.default
        if isinstance(default, bool):
            assert getattr(read(flag), each.name) is True
            assert getattr(read(flag.replace("--", "--no-", 1)), each.name) is False
            continue
        text = each.choices[-1] if each.choices else str(default or type(default)(7))
        value = getattr(read(flag, text), each.name)
        assert type(value) is type(default)
        assert str(value) == text


def test_lists_are_given_in_one_flag_or_several() -> None:
    for given in (("--mesh-frame", "3", "5"), ("--mesh-frame", "3", "--mesh-frame", "5")):
        assert read(*given, "--mesh", "glb") == RunSettings(mesh="glb", mesh_frame=(3, 5))


def test_flags_override_the_file(tmp_path: Path) -> None:
    path = tmp_path / "parameters.yaml"
    path.write_text("fov: 75\ncoast: true\nmax_people: 3\nframes: 9\n")
    expected = RunSettings(fov=75.0, coast=True, max_people=5, frames=9)
    assert read("--params", str(path), "--max-people", "5") == expected


def test_flags_are_validated_like_files() -> None:
    with pytest.raises(ValueError, match="max_people must lie between 1 and 256, got 0"):
        read("--max-people", "0")
    with pytest.raises(ValueError, match="mesh_frame selects among the frames with mesh"):
        read("--mesh-frame", "3")


def test_help_shows_unit_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "without calibration. Default: 60.0 degrees." in text
    assert "0 leaves the number to PyTorch. Default: 0." in text
    assert "unseen this long. Default: 1.4 s." in text
    assert "Default: according to the topic's name." in text
    assert "--no-smoothing" in text
    assert text.index("input and output:") < text.index("model:") < text.index("smoothing:")
