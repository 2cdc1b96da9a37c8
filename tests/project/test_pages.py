"""The pages that lead from nothing to a result: their commands in turn, on small input."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.commands.command_line import main as smpler
from smpler_ros.bags.evaluate_bag import main as evaluate_bag
from smpler_ros.camera.synthetic_bag import main as synthetic_bag
from tests.project.test_readme import INLINE, commands_of
from tests.smpler_model.cameras.test_calibration import CALIBRATION

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SIZE = (64, 48)
FRAMES = 4
# What makes the commands of a page quick; it changes nothing of what a page is about.
QUICK = {
    "smpler run": ("--detector", "full_image", "--threads", "1", "--backend", "plain"),
    "smpler view": ("--threads", "1", "--port", "0"),
    "evaluate_bag": ("--boxes", "truth", "--threads", "1", "--backend", "plain", "--quiet"),
    "synthetic_bag": (
        *("--width", "160", "--height", "120", "--rate", "5", "--duration", "1"),
        *("--people", "1", "--quiet"),
    ),
}
PROGRAMS = {"smpler": smpler, "evaluate_bag": evaluate_bag, "synthetic_bag": synthetic_bag}
Follow = Callable[[str], list[str]]


@pytest.fixture
def follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """Return a function that runs a page's commands in an empty folder, and returns them."""
    from smpler_model.viewing.player import RecordingPlayer

    def interrupt(_: RecordingPlayer) -> None:  # as by Ctrl-C, as soon as the page is there
        raise KeyboardInterrupt

    monkeypatch.setattr(RecordingPlayer, "run", interrupt)
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> list[str]:
        text = (ROOT / "docs" / f"{name}.md").read_text()
        commands = [
            command
            for command in commands_of(text)
            if command.split()[0] in PROGRAMS and command not in INLINE
        ]
        for command in commands:
            program, *words = shlex.split(command)
            quick = next(
                (words for begin, words in QUICK.items() if command.startswith(begin)), ()
            )
            assert PROGRAMS[program]([*words, *quick]) == 0, command
        return commands

    return run


def write_video(path: Path) -> None:
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, SIZE)
    for _ in range(FRAMES):
        writer.write(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8))
    writer.release()


def named_files(name: str) -> set[str]:
    """Return the outputs that a page names."""
    text = (ROOT / "docs" / f"{name}.md").read_text()
    return set(re.findall(r"`([\w/]+\.(?:csv|html|jsonl|mp4))`", text))


def test_a_video(follow: Follow, tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    write_video(tmp_path / "video.mp4")
    small = CALIBRATION.replace("640", str(SIZE[0])).replace("480", str(SIZE[1]))
    (tmp_path / "camera.yaml").write_text(small)
    commands = follow("video")
    assert len(commands) == 5
    results = tmp_path / "video_smpler"
    with np.load(results / "results.npz") as arrays:
        assert len(arrays["frame_stamps_ns"]) == FRAMES
        with_people = len(set(arrays["frames"].tolist()))
    assert len(list((results / "mesh").glob("*.glb"))) == with_people > 0
    # The last command of the page writes another format.
    missing = {name for name in named_files("video") if not (results / name).exists()}
    assert missing == {"video.mp4", "results.jsonl"}


def test_a_bag(follow: Follow, tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    commands = follow("bag")
    assert len(commands) == 5
    folders = [tmp_path / name for name in ("example_bag_evaluation", "motion", "raw")]
    for folder in folders:
        assert "<h2>" in (folder / "report.html").read_text()
    report = (folders[0] / "report.html").read_text()
    assert re.search(r'<a class="button" href="worst_\d.html">', report)
    names = {name.removeprefix("example_bag_evaluation/") for name in named_files("bag")}
    assert {"report.html", "people.csv", "frames.csv", "overlay.mp4"} == names
    assert all((folders[2] / name).exists() for name in names)


def test_official_weights(follow: Follow, tmp_path: Path, nano_file: Path) -> None:
    """With a file of a small network under the official one's name."""
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    write_video(tmp_path / "video.mp4")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "SMPLer_3dpw.pt").symlink_to(nano_file)
    assert len(follow("official_weights")) == 3
    assert (tmp_path / "official" / "overlay.mp4").exists()
