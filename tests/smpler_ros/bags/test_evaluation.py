"""A bag is evaluated, and everything that was written is read back."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import open_bag
from smpler_model.body.skeleton import SMPL_FACE_COUNT, SMPL_JOINTS
from smpler_model.cameras.messages import camera_from_info, decode_image, stamp_ns_of
from smpler_model.detectors.detector import detections_from
from smpler_model.frames import Frame, FrameResult
from smpler_ros.bags.bag_run import Summary, evaluate_bag
from smpler_ros.bags.engine import Engine, RecordingDetector
from smpler_ros.bags.ground_truth import visible_rows
from smpler_ros.bags.settings import OUTPUTS, EvaluationSettings
from tests.smpler_ros.bags.test_ground_truth import truths_in
from tests.smpler_ros.conftest import SMALL, WriteBag

IMAGE = "/camera/image_raw"
TIMES = ("rate_hz", "wall_s", "latency_ms", "versions")
"""Entries of a summary that differ from run to run."""


def read_back(folder: Path, *topics: str) -> dict[str, list[Any]]:
    """Return the messages of the output bag by topic, of all topics by default."""
    messages = defaultdict(list)
    with open_bag(folder / "bag") as reader:
        for each in reader.read_messages(topics or reader.topics):
            messages[each.topic].append(each)
    return messages


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def results(small_bag: Path, engine: Engine) -> list[tuple[Frame, FrameResult]]:
    """Return the pipeline's results for the bag's frames."""
    pipeline, truths, found = engine.create_pipeline(), truths_in(small_bag), []
    with open_bag(small_bag) as reader:
        for name, frame in reader.read_frames(reader.cameras):
            detector = pipeline.camera(name).detector
            assert isinstance(detector, RecordingDetector)
            boxes = truths[frame.stamp_ns].boxes_xyxy
            detector.inner.give(detections_from(boxes))
            found.append((frame, pipeline.process(frame, camera=name, mesh=True)))
    return found


@pytest.fixture(scope="module")
def everything(config: EvaluationSettings) -> EvaluationSettings:
    changes = {"mesh_opacity": 0.5, "marker_lifetime": 2.0, "checkpoint_every": 0.0}
    return replace(config, outputs=OUTPUTS, video=True, **changes)


@pytest.fixture(scope="module")
def run(
    small_bag: Path,
    everything: EvaluationSettings,
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Summary]:
    """Run with all outputs, and a checkpoint after each image."""
    folder = tmp_path_factory.mktemp("run") / "out"
    return folder, evaluate_bag(small_bag, folder, everything, engine)


@pytest.mark.slow
def test_every_message_equals_the_pipeline_s_result(
    run: tuple[Path, Summary], results: list[tuple[Frame, FrameResult]], engine: Engine
) -> None:
    messages = read_back(run[0])
    assert any(len(result.people) for _, result in results)
    names = ("people", "mesh_markers", "skeleton_markers", "overlay/compressed", "camera_info")
    for name in (*(f"/camera/{name}" for name in names), IMAGE):
        assert [each.time_ns for each in messages[name]] == [
            frame.stamp_ns for frame, _ in results
        ]
    transforms = iter(messages["/tf"])
    for index, (frame, result) in enumerate(results):
        message = messages["/camera/people"][index].message
        assert (message.header.frame_id, message.model) == ("camera_optical_frame", engine.model)
        assert stamp_ns_of(message) == frame.stamp_ns
        people = people_from_message(message)
        for name in ("ids", "states", "sources", "translations_m"):
            np.testing.assert_array_equal(getattr(people, name), getattr(result.people, name))
        for name in ("rotations", "betas", "joints_m", "keypoints_px", "boxes_xyxy"):
            np.testing.assert_allclose(
                getattr(people, name), getattr(result.people, name), rtol=1e-5, atol=1e-5
            )
        assert camera_from_info(messages["/camera/camera_info"][index].message) == frame.camera
        np.testing.assert_array_equal(decode_image(messages[IMAGE][index].message), frame.rgb)
        meshes = messages["/camera/mesh_markers"][index].message.markers
        shown = [marker for marker in meshes if marker.action == marker.ADD]
        assert [marker.id for marker in shown] == result.people.ids.tolist()
        assert all(len(marker.points) == 3 * SMPL_FACE_COUNT for marker in shown)
        assert {(marker.color.a, marker.lifetime.sec) for marker in shown} <= {(0.5, 2)}
        if len(result.people):
            tree = next(transforms).message.transforms
            assert len(tree) == len(result.people) * len(SMPL_JOINTS)
            assert tree[0].header.frame_id == "camera_optical_frame"
    assert next(transforms, None) is None


def test_people_have_the_input_s_transforms(run: tuple[Path, Summary]) -> None:
    [static] = read_back(run[0], "/tf_static")["/tf_static"]
    [transform] = static.message.transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ("map", "camera_optical_frame")
    assert transform.transform.translation.z > 0.5


def test_tables_equal_the_results(
    run: tuple[Path, Summary], results: list[tuple[Frame, FrameResult]]
) -> None:
    folder, _ = run
    rows = rows_of(folder / "people.csv")
    people = [result.people for _, result in results]
    ids = [int(id_) for each in people for id_ in each.ids]
    assert [int(row["id"]) for row in rows] == ids
    betas = np.concatenate([each.betas for each in people])
    written = np.array([[float(row[f"beta_{k}"]) for k in range(10)] for row in rows])
    np.testing.assert_allclose(written, betas, rtol=1e-5, atol=1e-6)
    frames = rows_of(folder / "frames.csv")
    assert [int(row["people"]) for row in frames] == [len(each) for each in people]


def test_the_summary_describes_the_run(
    run: tuple[Path, Summary], small_bag: Path, everything: EvaluationSettings
) -> None:
    folder, summary = run
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(summary))
    rows = rows_of(folder / "people.csv")
    assert summary["complete"]
    assert summary["damage"] is None
    assert summary["frames"] == SMALL.frames
    assert summary["people"] == len(rows)
    assert summary["tracks"] == len({row["id"] for row in rows})
    [(name, camera)] = summary["cameras"].items()
    assert (name, camera["info"]) == (IMAGE, "/camera/camera_info")
    assert camera["image_rate_hz"] == pytest.approx(10)
    errors = summary["accuracy"]["all"]
    for figure in ("mpjpe_mm", "pa_mpjpe_mm", "mpve_mm", "pck", "pelvis_mm"):
        values = [float(row[figure]) for row in rows if row["true_id"]]
        assert errors[figure] == pytest.approx(np.mean(values))
    assert errors["pairs"] + errors["missed"] == errors["true_people"]
    assert errors["visible_missed"] <= errors["missed"]
    seen = [int(visible_rows(people).sum()) for people in truths_in(small_bag).values()]
    assert errors["visible_people"] == sum(seen)
    assert errors["true_people"] == sum(len(people) for people in truths_in(small_bag).values())
    assert summary["accuracy"]["conventions"]["boxes"] == "from the truth"
    assert set(summary["latency_ms"]["estimate"]) == {"mean", "p50", "p90", "p99"}
    assert set(summary["sha256"]["bag"]) == {"metadata.yaml", "small.mcap"}
    assert summary["configuration"] == asdict(everything)


def test_people_and_cameras_add_up(run: tuple[Path, Summary]) -> None:
    accuracy = run[1]["accuracy"]
    assert accuracy["cameras"][IMAGE] == accuracy["all"]
    people = accuracy["people"][IMAGE].values()
    for count in ("pairs", "missed", "true_people", "identity_switches"):
        assert sum(each[count] for each in people) == accuracy["all"][count]


def test_report_and_pictures(run: tuple[Path, Summary]) -> None:
    folder, summary = run
    page = (folder / "report.html").read_text()
    assert f"{summary['accuracy']['all']['mpjpe_mm']:.1f}" in page
    assert "midpoint of both hips" in page
    assert page.count("data:image/png;base64,") == 2
    for name in ("error_over_time.png", "error_by_joint.png"):
        assert cv2.imread(str(folder / name)).std() > 5


def test_the_video_has_all_overlays(run: tuple[Path, Summary]) -> None:
    video = cv2.VideoCapture(str(run[0] / "overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    shown = []
    while (frame := video.read())[0]:
        shown.append(frame[1])
    assert len(shown) == SMALL.frames
    assert shown[0].shape == (SMALL.height, SMALL.width, 3)
    topic = "/camera/overlay/compressed"
    overlay = decode_image(read_back(run[0], topic)[topic][-1].message)
    assert np.abs(shown[-1][..., ::-1].astype(float) - overlay).mean() < 8


def test_a_video_can_be_added_later(
    run: tuple[Path, Summary], small_bag: Path, everything: EvaluationSettings, engine: Engine
) -> None:
    video = run[0] / "overlay.mp4"
    content = video.read_bytes()
    video.unlink()
    evaluate_bag(small_bag, run[0], everything, engine, resume=True)
    assert video.read_bytes() == content


def stop_after(count: int) -> Callable[[], bool]:
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= count


def comparable(summary: Summary) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name not in TIMES}


def rounded(value: object) -> object:
    """Return nested values with numbers rounded to five digits."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def flat(messages: dict[str, list[Any]]) -> dict[str, list[str]]:
    """Return the messages as text, with numbers rounded to six digits."""
    with np.printoptions(precision=6, suppress=True, threshold=200):
        return {
            topic: sorted(f"{each.time_ns} {each.message}" for each in every)
            for topic, every in messages.items()
            if "markers" not in topic
        }


@pytest.mark.slow
@pytest.mark.parametrize("boxes", ["truth", "detector"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    boxes: str,
    config: EvaluationSettings,
    engine: Engine,
    write_bag: WriteBag,
    tmp_path: Path,
) -> None:
    bag = write_bag("two", cameras=2)
    config = replace(
        config, detector="motion", boxes=boxes, outputs=("people", "skeleton_markers")
    )
    if boxes == "detector":  # motion needs more images before it finds anybody
        bag = write_bag("long", rate=8.0, duration=6.0, people=2)
        engine = Engine(config)
    whole = evaluate_bag(bag, tmp_path / "whole", config, engine)
    assert whole["people"] > 3
    middle = whole["frames"] * 2 // 3
    part = evaluate_bag(
        bag,
        tmp_path / "part",
        config,
        engine,
        should_stop=stop_after(middle // len(whole["cameras"])),
    )
    assert not part["complete"]
    assert part["frames"] == middle
    assert len(rows_of(tmp_path / "part" / "frames.csv")) == middle
    resumed = evaluate_bag(bag, tmp_path / "part", config, engine, resume=True)
    assert rounded(comparable(resumed)) == rounded(comparable(whole))
    for name in ("frames.csv", "detections.jsonl"):
        assert (tmp_path / "part" / name).read_text() == (tmp_path / "whole" / name).read_text()
    for got, expected in zip(
        rows_of(tmp_path / "part" / "people.csv"),
        rows_of(tmp_path / "whole" / "people.csv"),
        strict=True,
    ):
        for column, value in expected.items():
            try:
                assert float(got[column]) == pytest.approx(float(value), rel=1e-5, abs=1e-6)
            except ValueError:
                assert got[column] == value
    again, once = (read_back(tmp_path / name) for name in ("part", "whole"))
    assert flat(again) == flat(once)
    skeletons = "/camera/skeleton_markers" if boxes == "detector" else "/camera_0/skeleton_markers"
    for got, expected in zip(again[skeletons], once[skeletons], strict=True):
        assert [(m.ns, m.id, m.action) for m in got.message.markers] == [
            (m.ns, m.id, m.action) for m in expected.message.markers
        ]
    # A finished run is not repeated.
    assert evaluate_bag(bag, tmp_path / "part", config, engine, resume=True) == json.loads(
        json.dumps(resumed)
    )
