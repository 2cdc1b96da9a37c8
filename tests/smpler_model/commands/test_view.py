"""The command `view`: reads results back, and serves a page."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.commands.command_line import main
from smpler_model.commands.overlay_files import LiveOverlayVideo
from smpler_model.commands.recordings import holds_people, open_recording
from smpler_model.commands.result_files import RESULT_FILES
from smpler_model.commands.run_record import RunRecord
from smpler_model.drawing.video import Video
from smpler_model.frames import DETAIL_KEYS, FrameResult, details_of
from smpler_model.people.floor import floor_from_pose
from smpler_model.source import SourceError
from smpler_model.viewing.result_files import read_results
from tests.bag_writer import camera_messages, write_bag
from tests.forked import ForkedProgram
from tests.random_people import random_result

FRAMES, RATE_HZ = 4, 10.0
CAMERA = Camera(
    *(64, 48, 50.0, 51.0, 31.5, 23.5), lens="plumb_bob", coefficients=(0.1, 0.02, 0.0, 0.0, 0.5)
)


def make_results() -> list[FrameResult]:
    return [
        replace(
            random_result(n, seed=index, has_details=index == 3),
            stamp_ns=round(index * 1e9 / RATE_HZ),
            camera=CAMERA,
        )
        for index, n in zip(range(FRAMES), (2, 0, 1, 3), strict=True)
    ]


def write_results(
    folder: Path, suffix: str, results: list[FrameResult] | None = None, failed: int | None = None
) -> list[FrameResult]:
    folder.mkdir()
    results = results or make_results()
    file = RESULT_FILES[suffix](folder / f"results.{suffix}")
    for index, result in enumerate(results):
        if index != failed:
            file.write(index, "", result)
    file.close()
    return results


def write_video(path: Path, count: int = FRAMES, step: int = 60) -> None:
    """Write images whose grey value is a multiple of their number, modulo 256."""
    video = Video(path, RATE_HZ, 64, 48)
    for index in range(count):
        video.write(np.full((48, 64, 3), step * index % 256, np.uint8))
    video.close()


@pytest.mark.parametrize("suffix", RESULT_FILES)
def test_results_are_read_back(suffix: str, tmp_path: Path) -> None:
    results = write_results(tmp_path / "run", suffix)
    write_video(tmp_path / "run" / "overlay.mp4")
    assert holds_people(tmp_path / "run")
    recording = open_recording(tmp_path / "run")
    assert len(recording) == FRAMES
    for index, result in enumerate(results):
        moment = recording.moment(index)
        assert moment.stamp_ns == result.stamp_ns
        assert moment.camera == CAMERA
        assert moment.rgb is not None
        assert abs(float(moment.rgb.mean()) - 60 * index) < 6
        if result.pose is not None:
            pose = result.pose.fixed_from_camera
            np.testing.assert_allclose(moment.world_from_camera, pose, atol=1e-6)
        for name, array in vars(moment.people).items():
            expected = vars(result.people)[name]
            if expected is None:
                assert array is None
            elif name != "motion":
                np.testing.assert_allclose(array, expected, atol=2e-5, err_msg=name)
        for name, expected in details_of(result.people).items():
            read = details_of(moment.people)[name]
            np.testing.assert_allclose(read, expected, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("suffix", RESULT_FILES)
def test_a_static_camera_stays_above_the_floor_that_the_run_found_last(
    suffix: str, tmp_path: Path
) -> None:
    heights_m = (None, 1.7, 1.8, None)
    floors = [None if h is None else floor_from_pose(level_camera(h, 25.0)) for h in heights_m]
    results = [
        replace(random_result(2, seed=index), camera=CAMERA, floor=floor)
        for index, floor in enumerate(floors)
    ]
    known = random_result(2, has_details=True)
    assert known.pose is not None
    write_results(tmp_path / "run", suffix, [*results, replace(known, camera=CAMERA)])
    recording = open_recording(tmp_path / "run")
    expected = [*[level_camera(1.8, 25.0)] * len(floors), known.pose.fixed_from_camera]
    for index, pose in enumerate(expected):
        found = recording.moment(index).world_from_camera
        np.testing.assert_allclose(found, pose, atol=1e-5)


@pytest.mark.parametrize("suffix", RESULT_FILES)
def test_people_are_in_the_frames_that_show_them(suffix: str, tmp_path: Path) -> None:
    counts = (0, 2, 0, 0, 1, 0)
    results = [
        replace(random_result(n, seed=index), camera=CAMERA) for index, n in enumerate(counts)
    ]
    write_results(tmp_path / "run", suffix, results)
    frames = read_results(tmp_path / "run" / f"results.{suffix}")
    assert [len(frame.people) for frame in frames] == list(counts)
    for frame, result in zip(frames, results, strict=True):
        assert frame.people.ids.tolist() == result.people.ids.tolist()
        np.testing.assert_allclose(frame.people.joints_m, result.people.joints_m, atol=1e-5)


def test_the_overlay_of_a_camera_fits_its_results(tmp_path: Path) -> None:
    """Its images are repeated, and counted from 0, while the results have the camera's stamps."""
    stamps_ns = [10**18 + time_ms * 1_000_000 for time_ms in (0, 300, 540, 1000)]
    pairs = zip(make_results(), stamps_ns, strict=True)
    results = [replace(result, stamp_ns=stamp_ns) for result, stamp_ns in pairs]
    write_results(tmp_path / "run", "jsonl", results)
    video = LiveOverlayVideo(tmp_path / "run" / "overlay.mp4", RATE_HZ)
    for index, stamp_ns in enumerate(stamps_ns):
        video.write(index, "", stamp_ns, np.full((48, 64, 3), 60 * index, np.uint8))
    video.close()
    recording = open_recording(tmp_path / "run")
    for index in range(FRAMES):
        rgb = recording.moment(index).rgb
        assert rgb is not None
        assert abs(float(rgb.mean()) - 60 * index) < 6


@pytest.mark.parametrize("suffix", RESULT_FILES)
@pytest.mark.parametrize(("pictures", "failed"), [(39, None), (40, 5)])
def test_the_overlay_of_a_bag_with_a_gap_fits_its_results(
    suffix: str, pictures: int, failed: int | None, tmp_path: Path
) -> None:
    """The last picture is missing after Ctrl-C, and the line of a frame that failed."""
    step_ns = round(1e9 / RATE_HZ)
    stamps_ns = [step_ns * index + 2 * 10**9 * (index > 20) for index in range(40)]
    result = replace(random_result(1), camera=CAMERA)
    results = [replace(result, stamp_ns=stamp_ns) for stamp_ns in stamps_ns]
    write_results(tmp_path / "run", suffix, results, failed)
    write_video(tmp_path / "run" / "overlay.mp4", pictures, step=37)
    RunRecord(str(tmp_path / "bag"), image_topic="/cam/image_raw").save(tmp_path / "run")
    recording = open_recording(tmp_path / "run")
    shown = [recording.moment(row).rgb for row in range(len(recording))]
    expected = [index for index in range(40) if index != failed]
    for index, rgb in zip(expected, shown, strict=True):
        if index < pictures:
            assert rgb is not None
            assert abs(float(rgb.mean()) - 37 * index % 256) < 10
        else:
            assert rgb is None


def test_arrays_of_earlier_versions_are_read_back(tmp_path: Path) -> None:
    results = write_results(tmp_path / "run", "npz")
    path = tmp_path / "run" / "results.npz"
    with np.load(path) as arrays:
        places = {"frame_fixed_frames", "frame_fixed_from_camera", "frame_floors"}
        newer = {*DETAIL_KEYS, *places, "frame_indices"}
        assert newer <= arrays.keys()
        np.savez(path, **{name: arrays[name] for name in arrays.keys() - newer})
    frame = read_results(path)[3]
    assert frame.index == 3
    assert frame.world_from_camera is None
    read = frame.people
    np.testing.assert_allclose(read.joints_m, results[3].people.joints_m, atol=1e-6)
    assert read.motion is None
    assert read.joint_confidences is None


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(json.dumps({"other": 1}) + "\n")
    with pytest.raises(SourceError, match="must be the results of `smpler run`"):
        open_recording(tmp_path)
    cv2.imwrite(str(tmp_path / "image.png"), np.zeros((8, 8, 3), np.uint8))
    assert not holds_people(tmp_path / "image.png")


def test_a_broken_overlay_names_the_remedy(tmp_path: Path) -> None:
    write_results(tmp_path / "run", "jsonl")
    write_video(tmp_path / "input.mp4")
    (tmp_path / "run" / "overlay.mp4").write_bytes((tmp_path / "input.mp4").read_bytes()[:500])
    with pytest.raises(SourceError, match=r"overlay\.mp4 must be .* the run's input with --i"):
        open_recording(tmp_path / "run")
    assert len(open_recording(tmp_path / "run", str(tmp_path / "input.mp4"))) == FRAMES


def test_cameras_and_missing_files_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "0"]) == 1
    assert "view shows recordings, got camera 0" in capsys.readouterr().err
    assert main(["view", "nowhere"]) == 1
    assert "must be a file or a folder, got nowhere" in capsys.readouterr().err


def test_a_frame_beyond_the_recording_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    write_results(tmp_path / "run", "jsonl")
    assert main(["view", str(tmp_path / "run"), "--port", "0", "--frame", str(FRAMES)]) == 1
    error = capsys.readouterr().err
    assert "frame must be one of 0 to 3, as the recording has 4 images, got 4; give" in error


def test_whose_results_are_shown_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The refused frame ends the command before the page is shown."""
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    write_video(here / "video.mp4")
    write_results(here / "video_smpler", "jsonl")
    given = str(here / "video.mp4")
    for record, words in (
        (None, "earlier results of an input that is not known"),
        (RunRecord(given, complete=True), f"earlier results of {given}; --overwrite estimates"),
        (RunRecord(given, complete=False), f"results of a run that ended before {given} did; "),
    ):
        if record is not None:
            record.save(here / "video_smpler")
        assert main(["view", "video.mp4", "--port", "0", "--frame", str(FRAMES)]) == 1
        captured = capsys.readouterr()
        assert f"shows video_smpler: {words}" in captured.out
        assert "frame must be one of" in captured.err


def test_results_of_another_input_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    write_video(here / "video.mp4")
    write_results(here / "video_smpler", "jsonl")
    RunRecord(str(here / "other" / "video.mp4"), complete=True).save(here / "video_smpler")
    assert main(["view", "video.mp4", "--port", "0"]) == 1
    error = capsys.readouterr().err
    assert f"video_smpler must hold the results of {here / 'video.mp4'}, got those of" in error
    assert error.count("\n") == 1
    assert holds_people(here / "video_smpler")


def write_left_results(here: Path) -> Path:
    """Write a bag of two cameras beside results of the left one, and return the bag."""
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    bag = write_bag(
        here, [*camera_messages(2, topic="/left"), *camera_messages(2, topic="/right")]
    )
    write_results(here / "bag_smpler", "jsonl")
    RunRecord(str(bag), complete=True, image_topic="/left/image_raw").save(here / "bag_smpler")
    return bag


def test_results_of_another_camera_in_a_bag_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_left_results(here)
    assert main(["view", "bag", "--port", "0", "--image-topic", "/right/image_raw"]) == 1
    error = capsys.readouterr().err
    assert (
        f"bag_smpler must hold the results of /right/image_raw in {bag}, got those of "
        "/left/image_raw; estimate people again with --overwrite"
    ) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("flags", [[], ["--image-topic", "/left/image_raw"]])
def test_results_are_shown_with_the_topic_that_they_are_of(
    flags: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refused frame ends the command before the page is shown."""
    write_left_results(here)
    assert main(["view", "bag", "--port", "0", "--frame", str(FRAMES), *flags]) == 1
    assert "frame must be one of" in capsys.readouterr().err


@pytest.mark.slow
def test_people_in_a_video_are_estimated_first(
    nano_file: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C arrives as soon as the page is served."""
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    from smpler_model.viewing.player import RecordingPlayer

    def interrupt(_: RecordingPlayer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RecordingPlayer, "run", interrupt)
    write_video(here / "video.mp4")
    flags = [
        "--model",
        str(nano_file),
        "--detector",
        "full_image",
        "--threads",
        "1",
        "--port",
        "0",
    ]
    assert main(["view", "video.mp4", *flags]) == 0
    assert f"{FRAMES} images at http://localhost:" in capsys.readouterr().out
    assert (here / "video_smpler" / "results.jsonl").is_file()
    assert main(["view", "video.mp4", *flags]) == 0  # from the results
    printed = capsys.readouterr().out
    assert "frames, results in" not in printed
    assert f"earlier results of {here / 'video.mp4'}" in printed


@pytest.mark.slow
def test_the_command_prints_its_address(tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    from tests.smpler_model.viewing.watcher import Watcher

    write_results(tmp_path / "run", "jsonl")
    with ForkedProgram("smpler_model", ["view", str(tmp_path / "run"), "--port", "0"]) as viewer:
        viewer.wait_for(f"{FRAMES} images at http://localhost:")
        line = next(each for each in viewer.output.splitlines() if " images at " in each)
        watcher = Watcher(line.split(" at ")[1].split()[0])
        watcher.wait(lambda: len(watcher.surfaces()) == 2, timeout_s=60)
        watcher.close()
        status, said, _ = viewer.stop()
    assert (status, "Traceback" in said) == (0, False)
    assert said.rstrip().endswith(line)
    assert "estimated with another one" in said  # random joints fit no body
