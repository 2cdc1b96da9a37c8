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
from smpler_model.commands.recordings import open_recording
from smpler_model.frames import TranslationSource
from smpler_model.viewing.bag_recording import read_bag
from smpler_model.viewing.fused_recording import FusedRecording
from smpler_ros.bags.accuracy import FIGURES
from smpler_ros.bags.bag_run import evaluate_bag
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.run_files import FUSED_ERRORS, FUSED_PEOPLE, MOMENTS
from smpler_ros.bags.settings import EvaluationSettings
from synthetic.truth import SceneFrame
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
Moments = list[dict[str, SceneFrame]]
TABLES = ("people.csv", "frames.csv", FUSED_PEOPLE, MOMENTS, FUSED_ERRORS)


@pytest.fixture(scope="module")
def moments() -> Moments:
    return shoot()


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory, moments: Moments) -> Path:
    path = tmp_path_factory.mktemp("bags") / "two_cameras"
    write_two_cameras(path, moments)
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
    fused = summary["fused"]
    assert (fused["moments"], fused["people"]) == (5, len(people))
    assert fused["ids"] == len({row["id"] for row in people})
    assert fused["moments_with"] == {f"/{name}/image_raw": 5 for name in NAMES}
    assert "fuse" in summary["latency_ms"]
    tracks = {(row["camera"], row["stamp_ns"], row["id"]) for row in rows_of(whole / "people.csv")}
    parts = [part.split("=") for row in people for part in row["tracks"].split()]
    assert len(parts) == len(tracks)  # everybody is fused, once
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


def test_errors_are_those_of_the_fused_people_beside_the_same_views(
    whole: Path, bag: Path, engine: Engine, moments: Moments
) -> None:
    summary: dict[str, Any] = evaluate_bag(bag, whole, SETTINGS, engine, resume=True)
    errors, single = rows_of(whole / FUSED_ERRORS), rows_of(whole / "people.csv")
    views = {(row["camera"], row["stamp_ns"], row["id"]): row for row in single}
    fused = {(row["moment"], row["id"]): row for row in rows_of(whole / FUSED_PEOPLE)}
    shot = {shot.frame.stamp_ns: shot for moment in moments for shot in moment.values()}
    assert errors
    for row in errors:
        view = views[row["camera"], row["stamp_ns"], row["track"]]
        assert view["true_id"] == row["true_id"]
        assert {row[f"view_{name}"] for name in FIGURES} == {view[name] for name in FIGURES}
        person, truth = fused[row["moment"], row["id"]], shot[int(row["stamp_ns"])].truth
        assert f"{row['camera']}={row['track']}" in person["tracks"].split()
        pelvis = truth.joints_m[truth.ids.tolist().index(int(row["true_id"])), 0]
        placed = truth.world_from_camera[:3, :3] @ pelvis + truth.world_from_camera[:3, 3]
        apart_m = np.linalg.norm(placed - [float(person[f"pelvis_{axis}_m"]) for axis in "xyz"])
        assert float(row["pelvis_mm"]) == pytest.approx(1e3 * apart_m, abs=0.1)
    accuracy = summary["fused"]["accuracy"]
    assert accuracy["all"]["pairs"] == len(errors)
    for kind, prefix in (("fused", ""), ("views", "view_")):
        for figure in ("mpjpe_mm", "pelvis_mm"):
            mean = np.mean([float(row[prefix + figure]) for row in errors])
            assert accuracy["all"][kind][figure] == pytest.approx(mean)
    counts = rows_of(whole / MOMENTS)
    for name in ("same_people", "joined", "wrong_joins"):
        assert accuracy[name] == sum(int(row[name]) for row in counts)
    assert 0 < accuracy["joined"] <= accuracy["same_people"]
    assert len(errors) == 2 * (accuracy["joined"] + accuracy["wrong_joins"])
    page = (whole / "report.html").read_text()
    assert "Fused people" in page
    assert f"{accuracy['all']['fused']['mpjpe_mm']:.1f}" in page


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


def test_the_viewer_shows_fused_people_with_the_images_and_poses_of_all_cameras(
    whole: Path, moments: Moments
) -> None:
    recording = open_recording(whole)
    assert isinstance(recording, FusedRecording)
    assert (len(recording), recording.cameras) == (MOMENT_COUNT, NAMES)
    fused = rows_of(whole / FUSED_PEOPLE)
    for number, shots in enumerate(moments):
        moment = recording.moment(number)
        mine = [row for row in fused if int(row["moment"]) == number]
        assert moment.people.ids.tolist() == [int(row["id"]) for row in mine]
        np.testing.assert_array_equal(moment.world_from_camera, np.eye(4))
        for shown, (name, shot) in zip(moment.shots, shots.items(), strict=True):
            assert (shown.name, shown.camera) == (name, shot.frame.camera)
            np.testing.assert_allclose(
                shown.world_from_camera, shot.truth.world_from_camera, atol=1e-9
            )
            assert shown.rgb is not None
            assert np.abs(shown.rgb.astype(float) - shot.frame.rgb).mean() < 8  # JPEG
        true = {  # the same in both rooms
            id_: shot.truth.world_from_camera[:3, :3] @ pelvis
            + shot.truth.world_from_camera[:3, 3]
            for shot in shots.values()
            for id_, pelvis in zip(shot.truth.ids.tolist(), shot.truth.joints_m[:, 0], strict=True)
        }
        assert moment.truth is not None
        assert sorted(moment.truth.ids.tolist()) == sorted(true)  # everybody once
        for id_, pelvis in zip(
            moment.truth.ids.tolist(), moment.truth.joints_m[:, 0], strict=True
        ):
            np.testing.assert_allclose(pelvis, true[id_], atol=0.02)  # walked between the images


def test_one_camera_of_several_is_shown_where_it_is_named(whole: Path, moments: Moments) -> None:
    recording = open_recording(whole, image_topic="/right/image_raw")
    assert recording.cameras == ()
    moment, shot = recording.moment(0), moments[0]["right"]
    assert moment.shots == ()
    assert moment.truth is not None
    np.testing.assert_allclose(moment.truth.joints_m, shot.truth.joints_m, atol=1e-5)
    assert moment.stamp_ns == START_NS + APART_NS


def test_a_camera_s_people_are_not_the_fused_ones(whole: Path) -> None:
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
    assert EvaluationSettings(fixed_frame="map", fusion_tolerance=0.02).fixed_frame == "map"


def test_a_camera_whose_topics_fused_people_would_take_is_refused(
    engine: Engine, tmp_path: Path, moments: Moments
) -> None:
    bag = tmp_path / "bag"
    write_two_cameras(
        bag, [{"left": moment["left"], "fused": moment["right"]} for moment in moments[:1]]
    )
    with pytest.raises(ValueError, match="no camera may be in /fused where views are fused"):
        evaluate_bag(bag, tmp_path / "out", SETTINGS, engine)
