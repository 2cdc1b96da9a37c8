"""People of several cameras in a bag, fused into tables and topics of their own."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import open_bag
from smpler_model.frames import TranslationSource
from smpler_model.viewing.bag_recording import read_bag
from smpler_ros.bags.bag_run import evaluate_bag
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.run_files import FUSED_PEOPLE, MOMENTS
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.parameters.node_settings import NodeSettings
from tests.two_cameras import (
    APART_NS,
    NAMES,
    START_NS,
    STEP_NS,
    shoot,
    write_two_cameras,
)
from tests.two_cameras import (
    MOMENTS as MOMENT_COUNT,
)

pytestmark = pytest.mark.slow

SETTINGS = EvaluationSettings(
    model="smpler_nano",
    confirm_frames=1,
    threads=1,
    device="cpu",
    backend="plain",
    outputs=("people", "skeleton_markers"),
    fixed_frame="map",
    fusion_tolerance=0.02,
)
TABLES = ("people.csv", "frames.csv", FUSED_PEOPLE, MOMENTS)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "two_cameras"
    write_two_cameras(path, shoot())
    return path


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(SETTINGS, 2)


@pytest.fixture(scope="module")
def whole(bag: Path, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    evaluate_bag(bag, folder / "out", SETTINGS, engine)
    return folder / "out"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def stop_after(count: int) -> Callable[[], bool]:
    """Return a function that asks to stop when it is called for the n-th time."""
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= count


def test_tables_topics_and_summary_agree(whole: Path, bag: Path, engine: Engine) -> None:
    summary: dict[str, Any] = evaluate_bag(bag, whole, SETTINGS, engine, resume=True)
    people, moments = rows_of(whole / FUSED_PEOPLE), rows_of(whole / MOMENTS)
    assert [int(row["moment"]) for row in moments] == list(range(5))
    assert {row["views"] for row in moments} == {"/left/image_raw /right/image_raw"}
    assert summary["fused"] == {
        "moments": 5,
        "people": len(people),
        "ids": len({row["id"] for row in people}),
        "moments_with": {f"/{name}/image_raw": 5 for name in NAMES},
    }
    assert "fuse" in summary["latency_ms"]
    tracks = {(row["camera"], row["stamp_ns"], row["id"]) for row in rows_of(whole / "people.csv")}
    fused = [part.split("=") for row in people for part in row["tracks"].split()]
    assert len(fused) == len(tracks)  # everybody is fused, once
    views = TranslationSource.VIEWS.name.lower()
    for row in people:
        assert (row["translation_source"] == views) == (len(row["tracks"].split()) == 2)
    assert any(row["translation_source"] == views for row in people)
    with open_bag(whole / "bag") as reader:
        assert {"/fused/people", "/fused/skeleton_markers"} <= set(reader.topics)
        found = {
            each.time_ns: people_from_message(each.message)
            for each in reader.read_messages(["/fused/people"])
        }
    assert list(found) == [int(row["stamp_ns"]) for row in moments]
    for stamp_ns, each in found.items():
        mine = [row for row in people if int(row["stamp_ns"]) == stamp_ns]
        assert each.ids.tolist() == [int(row["id"]) for row in mine]
        pelvises = [[float(row[f"pelvis_{axis}_m"]) for axis in "xyz"] for row in mine]
        np.testing.assert_allclose(each.joints_m[:, 0], pelvises, atol=1e-5)


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_an_interrupted_run_gives_the_same(
    bag: Path, whole: Path, engine: Engine, tmp_path: Path, batches: int
) -> None:
    out = tmp_path / "out"
    evaluate_bag(bag, out, SETTINGS, engine, should_stop=stop_after(batches))
    assert len(rows_of(out / MOMENTS)) < 5
    summary = evaluate_bag(bag, out, SETTINGS, engine, resume=True)
    for name in TABLES:
        assert (out / name).read_text() == (whole / name).read_text(), name
    assert summary["fused"]["moments"] == 5
    with open_bag(out / "bag") as reader:
        assert reader.topics["/fused/people"].count == 5


def test_images_further_apart_are_moments_of_their_own(
    bag: Path, engine: Engine, tmp_path: Path
) -> None:
    narrow = replace(SETTINGS, fusion_tolerance=0.005)
    summary = evaluate_bag(bag, tmp_path / "out", narrow, engine)
    assert summary["fused"]["moments"] == 10
    stamps = [int(row["stamp_ns"]) - START_NS for row in rows_of(tmp_path / "out" / MOMENTS)]
    assert stamps == sorted(stamps)
    sources = {row["translation_source"] for row in rows_of(tmp_path / "out" / FUSED_PEOPLE)}
    assert "views" not in sources


def test_without_it_there_is_nothing_of_it(bag: Path, engine: Engine, tmp_path: Path) -> None:
    summary = evaluate_bag(bag, tmp_path / "out", replace(SETTINGS, fusion_tolerance=0.0), engine)
    assert summary["fused"] is None
    assert "fuse" not in summary["latency_ms"]
    assert not list((tmp_path / "out").glob("fused*"))
    with open_bag(tmp_path / "out" / "bag") as reader:
        assert not [topic for topic in reader.topics if topic.startswith("/fused")]


def test_the_viewer_takes_a_camera_s_people_not_the_fused(whole: Path) -> None:
    """Fused people belong to no image; here is no image at all to choose by."""
    with open_bag(whole / "bag") as people:
        recording = read_bag(people, people, "", lambda: None)
    stamps_ns = (recording.stamps_ns - START_NS).tolist()
    assert stamps_ns in (
        [k * STEP_NS + late for k in range(MOMENT_COUNT)] for late in (0, APART_NS)
    )
    assert not np.isnan(recording.people.boxes_xyxy).any()


def test_settings_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"fusion_tolerance must come with fixed_frame, got 0.02"):
        EvaluationSettings(fusion_tolerance=0.02)
    both = {"fixed_frame": "map", "fusion_tolerance": 0.02}
    assert NodeSettings(**both, cameras=("left", "right")).fusion_tolerance == 0.02
    with pytest.raises(ValueError, match="no camera may be named fused where views are fused"):
        NodeSettings(**both, cameras=("left", "fused"))


def test_a_camera_whose_topics_fused_people_would_take_is_refused(
    engine: Engine, tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    write_two_cameras(
        bag, [{"left": moment["left"], "fused": moment["right"]} for moment in shoot()[:1]]
    )
    with pytest.raises(ValueError, match="no camera may be in /fused where views are fused"):
        evaluate_bag(bag, tmp_path / "out", SETTINGS, engine)
