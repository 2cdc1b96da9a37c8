"""Damaged or unusual bags: one sentence each, and what can be read is evaluated."""

import gzip
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from smpler_model.bags.reader import SourceError
from smpler_model.frames import People
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_model.inference.estimator import Estimates
from smpler_ros.bags.bag_run import Summary, evaluate_bag
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.evaluation import gather
from smpler_ros.bags.run_files import lock_folder
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.images import image_message
from tests.smpler_ros.bags.test_evaluation import stop_after
from tests.smpler_ros.conftest import SMALL, WriteBag

pytestmark = pytest.mark.slow  # whole evaluations of many damaged bags

STEP_NS = 100_000_000


@pytest.fixture(scope="module")
def plain(config: EvaluationSettings) -> EvaluationSettings:
    return replace(config, boxes="detector", detector="full_image", outputs=("people",))


@pytest.fixture(scope="module")
def plain_engine(plain: EvaluationSettings) -> Engine:
    return Engine(plain)


def write_images(path: Path, stamps: list[int], sizes: list[tuple[int, int]]) -> Path:
    """Write grey images with these timestamps, recorded one after the other."""
    with BagWriter(path) as writer:
        for index, (stamp, (width, height)) in enumerate(zip(stamps, sizes, strict=True)):
            header = header_message(writer.types, stamp, "camera")
            rgb = np.full((height, width, 3), 100, np.uint8)
            message = image_message(writer.types, header, rgb)
            writer.write("/camera/image_raw", "sensor_msgs/msg/Image", index * STEP_NS, message)
    return path


def test_without_its_metadata(
    small_bag: Path, plain: EvaluationSettings, plain_engine: Engine, tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    shutil.copytree(small_bag, bag)
    (bag / "metadata.yaml").unlink()
    summary = evaluate_bag(bag, tmp_path / "out", plain, plain_engine)
    assert summary["frames"] == SMALL.frames
    assert summary["complete"]


@pytest.mark.parametrize("kind", ["mcap", "rosbag1"])
def test_cut_off(
    kind: str,
    write_bag: WriteBag,
    plain: EvaluationSettings,
    plain_engine: Engine,
    tmp_path: Path,
) -> None:
    # Several chunks, the last of which is lost.
    name = {"mcap": "long_raw", "rosbag1": "long_raw.bag"}[kind]
    whole = write_bag(name, kind, rate=50.0, people=0)
    file = whole if whole.is_file() else next(whole.glob("*.mcap"))
    cut = tmp_path / file.name
    cut.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    summary = evaluate_bag(cut, tmp_path / "out", plain, plain_engine)
    assert 0 < summary["frames"] < 40
    assert "truncated" in summary["damage"]
    assert "truncated" in (tmp_path / "out" / "report.html").read_text()
    assert len((tmp_path / "out" / "frames.csv").read_text().splitlines()) == 1 + summary["frames"]


def test_unknown_compression(small_bag: Path, plain: EvaluationSettings, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    shutil.copytree(small_bag, bag)
    file = bag / "metadata.yaml"
    content = yaml.safe_load(file.read_text())
    content["rosbag2_bagfile_information"] |= {
        "compression_format": "lz99",
        "compression_mode": "FILE",
        "relative_file_paths": ["bag_0.mcap.lz99"],
    }
    file.write_text(yaml.safe_dump(content))
    whole = next(bag.glob("*.mcap"))
    (bag / "bag_0.mcap.lz99").write_bytes(gzip.compress(whole.read_bytes()))
    whole.unlink()
    with pytest.raises(SourceError, match=r"lz99 must be a bag, .* first bytes"):
        evaluate_bag(bag, tmp_path / "out", plain)


def test_without_images(plain: EvaluationSettings, tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        header = header_message(writer.types, 0, "frame")
        writer.write("/other", "std_msgs/msg/Header", 0, header)
    with pytest.raises(SourceError, match=r"none among /other \(std_msgs/msg/Header\)"):
        evaluate_bag(tmp_path / "bag", tmp_path / "out", plain)


def test_mixed_sizes(plain: EvaluationSettings, plain_engine: Engine, tmp_path: Path) -> None:
    sizes = [(96, 64), (64, 48), (96, 64), (96, 64)]
    bag = write_images(tmp_path / "bag", [k * STEP_NS for k in range(1, 5)], sizes)
    config = replace(plain, outputs=("people", "overlay"), video=True)
    summary = evaluate_bag(bag, tmp_path / "out", config, plain_engine)
    assert summary["frames"] == 4
    assert summary["left_out"] == []


def test_images_of_another_size_than_the_calibration(
    write_bag: WriteBag, plain: EvaluationSettings, plain_engine: Engine, tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    with BagWriter(bag) as writer:
        types = writer.types
        for index, width in enumerate((96, 64, 96)):
            stamp = (index + 1) * STEP_NS
            header = header_message(types, stamp, "camera")
            info = types.camera_info(header=header, width=96, height=64)
            info.k = np.array([80.0, 0, 48, 0, 80, 32, 0, 0, 1])
            info.distortion_model = "plumb_bob"
            writer.write("/camera/camera_info", "sensor_msgs/msg/CameraInfo", stamp, info)
            rgb = np.zeros((64, width, 3), np.uint8)
            message = image_message(types, header, rgb)
            writer.write("/camera/image_raw", "sensor_msgs/msg/Image", stamp, message)
    summary = evaluate_bag(bag, tmp_path / "out", plain, plain_engine)
    assert summary["frames"] == 2
    [left_out] = summary["left_out"]
    assert left_out["count"] == 1
    assert "calibrated for 96x64, the image is 64x64" in left_out["reason"]


def test_stamps_out_of_order(
    plain: EvaluationSettings, plain_engine: Engine, tmp_path: Path
) -> None:
    stamps = [k * STEP_NS for k in (1, 3, 2, 4, 5)]
    bag = write_images(tmp_path / "bag", stamps, [(64, 48)] * 5)
    summary = evaluate_bag(bag, tmp_path / "out", plain, plain_engine)
    rows = (tmp_path / "out" / "frames.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[2]) for row in rows] == sorted(stamps)
    assert summary["frames"] == 5


def test_late_and_repeated_images_are_counted(
    plain: EvaluationSettings, plain_engine: Engine, tmp_path: Path
) -> None:
    order = [*range(2, 14), 1, 1, 13, *range(14, 24), 3]
    stamps = [k * STEP_NS // 10 for k in order]
    bag = write_images(tmp_path / "bag", stamps, [(64, 48)] * len(stamps))
    summary = evaluate_bag(bag, tmp_path / "out", plain, plain_engine)
    assert summary["frames"] == 22
    reasons = {each["reason"][:40]: each["count"] for each in summary["left_out"]}
    assert reasons == {
        "images must come nearly in the order of ": 3,
        "images must have different timestamps, g": 1,
    }


def test_a_clock_that_was_set_back(
    plain: EvaluationSettings, plain_engine: Engine, tmp_path: Path
) -> None:
    stamps = [k * STEP_NS for k in (50, 51, 52, 1, 2, 3)]
    bag = write_images(tmp_path / "bag", stamps, [(64, 48)] * 6)
    summary = evaluate_bag(bag, tmp_path / "out", plain, plain_engine)
    assert summary["frames"] == 6
    assert summary["tracks"] == 2  # tracking starts anew


def fail_at(engine: Engine, images: tuple[int, ...]) -> None:
    """Make the detector of an engine fail at the images with these numbers."""
    calls = iter(range(100))

    class Failing(engine._create_detector):  # type: ignore[name-defined, misc]
        def detect(self, rgb: np.ndarray) -> object:
            if next(calls) in images:
                raise RuntimeError("out of order")
            return super().detect(rgb)

    engine._create_detector = Failing


def test_a_detector_that_fails_costs_one_image(
    small_bag: Path,
    config: EvaluationSettings,
    evaluation: tuple[Path, Summary],
    breakable: Engine,
    tmp_path: Path,
) -> None:
    fail_at(breakable, (4,))
    summary = evaluate_bag(small_bag, tmp_path / "out", config, breakable)
    assert summary["frames"] == evaluation[1]["frames"] - 1
    [left_out] = summary["left_out"]
    assert left_out["reason"] == "the detector failed: RuntimeError: out of order"


def test_a_resumed_run_counts_earlier_faults(
    small_bag: Path, config: EvaluationSettings, breakable: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    fail_at(breakable, (1, 2, 5))
    part = evaluate_bag(small_bag, folder, config, breakable, should_stop=stop_after(4))
    assert [each["count"] for each in part["left_out"]] == [2]
    summary = evaluate_bag(small_bag, folder, config, breakable, resume=True)
    assert [each["count"] for each in summary["left_out"]] == [3]
    assert summary["frames"] == SMALL.frames - 3


def test_failures_of_the_network_are_counted_per_image_and_person(
    small_bag: Path,
    config: EvaluationSettings,
    engine: Engine,
    breakable: Engine,
    tmp_path: Path,
) -> None:
    """Also by a run that goes on, whose tracker is led through the images that failed."""
    estimate = engine._pipeline.estimator.estimate

    def poison() -> None:
        calls = iter(range(100))

        def fail(crops: np.ndarray) -> Estimates:
            index = next(calls)
            if index in (2, 3):
                raise RuntimeError("out of order")
            estimates = estimate(crops)
            if index in (0, 4):
                estimates.betas[:1] = np.nan
            return estimates

        breakable._pipeline.estimator.estimate = fail  # type: ignore[method-assign]

    poison()
    whole = evaluate_bag(small_bag, tmp_path / "whole", config, breakable)
    assert whole["frames"] == SMALL.frames - 2
    (fault,) = whole["left_out"]
    assert (fault["count"], fault["reason"]) == (
        2,
        "the pipeline failed: RuntimeError: out of order",
    )
    (left_out,) = whole["people_left_out"]
    assert left_out["reason"].startswith("a person was left out")
    folder = tmp_path / "out"
    poison()
    evaluate_bag(small_bag, folder, config, breakable, should_stop=stop_after(5))
    resumed = evaluate_bag(small_bag, folder, config, breakable, resume=True)
    for name in ("frames", "left_out", "people_left_out", "tracks", "people"):
        assert resumed[name] == whole[name], name


def test_results_before_device_memory_runs_out_are_kept(
    small_bag: Path,
    config: EvaluationSettings,
    engine: Engine,
    evaluation: tuple[Path, Summary],
    breakable: Engine,
    tmp_path: Path,
) -> None:
    _, whole = evaluation
    estimator = breakable._pipeline.estimator
    estimate, calls = estimator.estimate, iter(range(100))

    def fail(crops: np.ndarray) -> object:
        if next(calls) == 5:
            raise DeviceMemoryError("no memory")
        return estimate(crops)

    estimator.estimate = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(DeviceMemoryError, match="no memory"):
        evaluate_bag(small_bag, tmp_path / "out", config, breakable)
    assert len((tmp_path / "out" / "frames.csv").read_text().splitlines()) == 1 + 5
    resumed = evaluate_bag(small_bag, tmp_path / "out", config, engine, resume=True)
    assert resumed["frames"] == whole["frames"]
    assert resumed["accuracy"]["all"]["pairs"] == whole["accuracy"]["all"]["pairs"]


@pytest.mark.parametrize("resume", [False, True])
def test_the_input_bag_is_never_overwritten(
    small_bag: Path, config: EvaluationSettings, engine: Engine, tmp_path: Path, *, resume: bool
) -> None:
    bag = tmp_path / "walk" / "bag"
    shutil.copytree(small_bag, bag)
    with pytest.raises(ValueError, match="the output must not be where the bag is"):
        evaluate_bag(bag, bag.parent, config, engine, resume=resume, overwrite=not resume)
    assert {file.name for file in bag.iterdir()} == {file.name for file in small_bag.iterdir()}


def test_folders_are_not_overwritten(
    small_bag: Path, config: EvaluationSettings, engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="use --resume to continue, --overwrite to replace"):
        evaluate_bag(small_bag, folder, config, engine)
    evaluate_bag(small_bag, folder, config, engine, overwrite=True)
    assert (folder / "mine.txt").read_text() == "keep"
    other = replace(config, match_iou=0.4)
    with pytest.raises(ValueError, match="be resumed with the configuration that it began with"):
        evaluate_bag(small_bag, folder, other, engine, resume=True)
    with lock_folder(folder), pytest.raises(ValueError, match="only one run may write to"):
        evaluate_bag(small_bag, folder, config, engine, resume=True)


def test_images_before_a_fault_are_still_yielded() -> None:
    def frames() -> Iterator[tuple[str, People]]:
        yield "a", 1  # type: ignore[misc]
        yield "b", 2  # type: ignore[misc]
        yield "a", 3  # type: ignore[misc]
        raise SourceError("broken off")

    batches = gather(frames(), 2)  # type: ignore[arg-type]
    assert next(batches) == {"a": 1, "b": 2}
    assert next(batches) == {"a": 3}
    with pytest.raises(SourceError):
        next(batches)


def test_cameras_of_different_rates_share_batches_where_they_can() -> None:
    order = ["a", "b", "a", "a", "b", "a"]
    frames = ((name, index) for index, name in enumerate(order))
    assert list(gather(frames, 2)) == [  # type: ignore[arg-type, comparison-overlap]
        {"a": 0, "b": 1},
        {"a": 2},
        {"a": 3, "b": 4},
        {"a": 5},
    ]
