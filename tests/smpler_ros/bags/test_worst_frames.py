"""The frames with the largest errors in a report."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from smpler_model.bags.reader import open_bag
from smpler_model.inference.optional_packages import is_installed
from smpler_ros.bags.bag_run import Summary, evaluate_bag
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.settings import EvaluationSettings


def test_the_report_shows_the_worst_frames_and_opens_them(
    evaluation: tuple[Path, Summary],
) -> None:
    folder, _ = evaluation
    page = (folder / "report.html").read_text()
    with (folder / "people.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["mpjpe_mm"]]
    worst = max(rows, key=lambda row: float(row["mpjpe_mm"]))
    others = [abs(int(row["stamp_ns"]) - int(worst["stamp_ns"])) for row in rows]
    shown = re.findall(r"image (\d+): person (\d+), (\d+) mm<br>", page)
    assert shown[0] == (worst["frame"], worst["id"], f"{float(worst['mpjpe_mm']):.0f}")
    assert f"smpler view {folder} --image-topic /camera/image_raw --frame {worst['frame']}" in page
    # Half a second apart, of a bag of 0.8 s: one more if the worst is near either end.
    assert page.count("data:image/jpeg") == len(shown) == 1 + (max(others) >= 5 * 10**8)
    assert 'name="viewport"' in page
    missed = r"\d+ of \d+ visible people missed \(\d+ of \d+ labelled\)"
    assert re.search(rf"; people: \d+ found, {missed}, \d+ false</p>", page)
    parts = re.findall("<h2>([^<]+)</h2>", page)
    assert parts[:4] == ["Errors", "Largest errors", "Cameras", "Time per batch of images"]
    pages = sorted(file.name for file in folder.glob("worst_*.html"))
    assert pages == re.findall(r'href="(worst_\d\.html)">in 3D', page)
    assert len(pages) == (len(shown) if is_installed("viser") else 0)
    assert all("<html" in (folder / name).read_text() for name in pages)


@pytest.mark.slow
def test_without_truth_no_frame_is_the_worst(
    small_bag: Path, config: EvaluationSettings, tmp_path: Path
) -> None:
    untold = replace(config, truth="none", boxes="detector", detector="full_image")
    evaluate_bag(small_bag, tmp_path / "out", untold, Engine(untold))
    assert "Largest errors" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.slow
def test_images_are_found_whenever_they_were_recorded(
    small_bag: Path,
    config: EvaluationSettings,
    engine: Engine,
    evaluation: tuple[Path, Summary],
    tmp_path: Path,
) -> None:
    """A simulation's images are stamped with its time, and recorded at that of the wall."""
    with open_bag(small_bag) as reader, BagWriter(tmp_path / "bag") as writer:
        for each in reader.read_messages(reader.topics):
            writer.write(each.topic, each.type, each.time_ns + 10**18, each.message)
    evaluate_bag(tmp_path / "bag", tmp_path / "out", replace(config, outputs=()), engine)
    page = (tmp_path / "out" / "report.html").read_text()
    shown = page.count("data:image/jpeg")
    assert shown == (evaluation[0] / "report.html").read_text().count("data:image/jpeg") > 0
