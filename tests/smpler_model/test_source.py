import os
from pathlib import Path

import pytest

from smpler_model.source import SourceError, camera_number
from smpler_model.sources import open_source


@pytest.mark.parametrize(("name", "number"), [("0", 0), ("0012", 12), ("999999999", 999999999)])
def test_numbers_are_cameras(name: str, number: int, tmp_path: Path) -> None:
    assert camera_number(name) == number


@pytest.mark.parametrize("name", ["", "a", "-1", "1.0", "²", "٣", "9" * 20, "9" * 5000])
def test_others_are_none(name: str) -> None:
    assert camera_number(name) is None


def test_what_exists_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0001").mkdir()
    assert camera_number("0001") is None
    assert camera_number("0002") == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("9" * 20, "must be a file, a folder or a camera number, got 99999"),
        ("", "must be a file, a folder or a camera number, got nothing"),
        (os.fsdecode(b"in\xff.mp4"), r"must be UTF-8, got b'in\\xff\.mp4'"),
        ("971", "camera 971 must be one that OpenCV can open"),
    ],
    ids=["huge", "empty", "not UTF-8", "no camera"],
)
def test_inputs_that_are_none(name: str, sentence: str) -> None:
    with pytest.raises((SourceError, ValueError), match=sentence), open_source(name):
        pass
