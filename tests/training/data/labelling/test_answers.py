"""Interrupted runs continue from their file of predictions."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.data.labelling.made_up_teacher import random_answers
from training.data.labelling.answers import Answers, ask_about

NAMES = [f"{number}.jpg" for number in range(7)]
ANSWERS = dict(zip(NAMES, (random_answers(1, seed) for seed in range(7)), strict=True))


class Teacher:
    """Answers from a table, and records the questions; fails at one photo."""

    def __init__(self, broken: str = "") -> None:
        self.asked: list[str] = []
        self.broken = broken

    def __call__(self, name: str) -> Answers:
        if name == self.broken:
            raise ValueError(f"{name} must be an image file")
        self.asked.append(name)
        return ANSWERS[name]


def test_predictions_before_an_error_are_reused(tmp_path: Path) -> None:
    path = tmp_path / "answers.npz"
    with pytest.raises(ValueError, match=r"^4\.jpg must"):
        ask_about(NAMES, Teacher("4.jpg"), path, "a")
    teacher = Teacher()
    answers = ask_about(NAMES, teacher, path, "a")
    assert teacher.asked == NAMES[4:]
    for row, name in enumerate(NAMES):
        for key, values in vars(ANSWERS[name]).items():
            np.testing.assert_array_equal(getattr(answers[row], key), values)
    again = Teacher()
    some = ask_about(NAMES[2:4], again, path, "a")
    assert not again.asked
    np.testing.assert_array_equal(some.points_px, answers.points_px[2:4])
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_other_networks_are_neither_used_nor_changed(tmp_path: Path) -> None:
    path = tmp_path / "answers.npz"
    ask_about(NAMES[:2], Teacher(), path, "a")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="must be from the same networks and labels"):
        ask_about(NAMES, Teacher(), path, "b")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "answers.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must hold the answers for a part of the photos"):
        ask_about(NAMES, Teacher(), path, "a")
    assert path.read_bytes() == content
