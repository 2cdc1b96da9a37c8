"""Paths for C libraries."""

import os
from pathlib import Path

import pytest

from smpler_model.native_paths import native_path


@pytest.mark.parametrize("name", ["plain.mp4", "mit Umlaut ä.mp4", "人.mp4"])
def test_valid_paths_are_unchanged(name: str) -> None:
    assert native_path(Path(name)) == name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (os.fsdecode(b"out\xff/overlay.mp4"), r"must be UTF-8, got b'out\\xff/overlay\.mp4'"),
        ("out\0.mp4", r"must have no zero bytes, got 'out\\x00\.mp4'"),
    ],
    ids=["not UTF-8", "zero byte"],
)
def test_invalid_paths_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        native_path(name)
