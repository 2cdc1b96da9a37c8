from pathlib import Path

from smpler_model.commands.result_folders import base_name


def test_names_of_folders_have_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "walk.1").mkdir()
    (tmp_path / "walk.2.mp4").touch()
    names = [base_name(tmp_path / name) for name in ("walk.1", "walk.2.mp4", "walk.3.bag")]
    assert names == ["walk.1", "walk.2", "walk.3"]
