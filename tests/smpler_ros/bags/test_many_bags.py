import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from smpler_model.bags.reader import SourceError
from smpler_ros.bags import bag_run, many_bags
from smpler_ros.bags.bag_run import Progress
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.evaluate_bag import main
from smpler_ros.bags.many_bags import (
    Job,
    evaluate_in_turn,
    find_bags,
    make_jobs,
    merge,
)
from smpler_ros.bags.run_files import RunFiles
from smpler_ros.bags.run_state import RunState
from smpler_ros.bags.settings import EvaluationSettings
from tests.smpler_ros.conftest import SMALL, WriteBag

pytestmark = pytest.mark.slow


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Create folders and files with the names of bags."""
    for name in (
        "b/metadata.yaml",
        "deep/er/c/metadata.yaml",
        "a.bag",
        "deep/d.mcap",
        "notes.txt",
    ):
        file = tmp_path / "shelf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "shelf"


def test_bags_are_found_in_folders_patterns_and_lists(shelf: Path) -> None:
    everything = [shelf / name for name in ("a.bag", "b", "deep/d.mcap", "deep/er/c")]
    assert find_bags([str(shelf)]) == everything
    earlier = shelf / "evaluations" / "b"
    shutil.copytree(shelf / "b", earlier / "bag")
    (earlier / "state.npz").touch()
    assert find_bags([str(shelf)]) == everything
    assert find_bags([str(shelf / "b")]) == [shelf / "b"]
    assert find_bags([f"{shelf}/*.bag", f"{shelf}/b"]) == [shelf / "a.bag", shelf / "b"]
    names = shelf / "bags.txt"
    names.write_text(f"{shelf}/b\n\n{shelf}/a.bag\n{shelf}/b\n")
    assert find_bags([f"@{names}"]) == [shelf / "b", shelf / "a.bag"]


def test_a_bag_of_several_names_counts_once(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = find_bags([str(shelf)])
    (shelf / "latest").symlink_to("b")
    assert find_bags([str(shelf)]) == everything
    monkeypatch.chdir(shelf)
    assert find_bags(["b", str(shelf / "b"), "latest"]) == [Path("b")]


def test_a_run_without_a_checkpoint_is_no_bag(shelf: Path, config: EvaluationSettings) -> None:
    """It was killed early: its bag is unfinished, and hidden."""
    everything, folder = find_bags([str(shelf)]), shelf / "b_evaluation"
    folder.mkdir()
    files = RunFiles(folder, config, RunState("", {}))
    assert list(folder.glob(".*.part/*.mcap"))
    assert find_bags([str(shelf)]) == everything
    files.close()
    touch(shelf / ".kept", "walk.mcap")
    assert find_bags([str(shelf)]) == everything


def test_the_network_is_prepared_for_the_most_cameras_of_a_bag(
    config: EvaluationSettings,
    small_bag: Path,
    write_bag: WriteBag,
    shelf: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared: list[int] = []

    def note(chosen: EvaluationSettings, cameras: int) -> Engine:
        prepared.append(cameras)
        return Engine(chosen, cameras)

    monkeypatch.setattr(many_bags, "Engine", note)
    two_cameras = write_bag("two cameras", cameras=2, duration=0.2)
    bags = [small_bag, two_cameras, shelf / "a.bag"]
    jobs = [Job(bag, shelf / "results" / str(row)) for row, bag in enumerate(bags)]
    outcomes = evaluate_in_turn(
        jobs,
        replace(config, outputs=()),
        resume=False,
        overwrite=False,
        report=lambda _: None,
        progress=Progress(),
        should_stop=lambda: False,
    )
    assert prepared == [2]
    assert [outcome.error is None for outcome in outcomes] == [True, True, False]


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


def test_files_are_bags_unless_they_are_parts_of_one(tmp_path: Path) -> None:
    several = touch(tmp_path / "several", "run_0.mcap", "walk.db3", "walk.mcap", "walk_0.mcap")
    assert find_bags([str(several)]) == sorted(several.iterdir())
    parts = touch(tmp_path / "parts", "walk_0.mcap", "walk_1.mcap", "walk_10.mcap")
    assert find_bags([str(parts)]) == [parts]
    days = touch(tmp_path / "days", "2024-05-06_07.mcap", "2024-05-06_08.mcap")
    assert find_bags([str(days)]) == sorted(days.iterdir())
    mixed = touch(tmp_path / "mixed", "a.bag", "walk_0.mcap")
    assert find_bags([str(mixed)]) == sorted(mixed.iterdir())
    shutil.rmtree(mixed)
    assert find_bags([str(tmp_path)]) == [
        *sorted(days.iterdir()),
        parts,
        *sorted(several.iterdir()),
    ]


def test_compressed_files_are_bags_unless_unpacked_beside(tmp_path: Path) -> None:
    folder = touch(tmp_path / "bags", "walk_0.mcap", "walk_1.mcap.zstd")
    assert find_bags([str(tmp_path)]) == [folder]
    (folder / "walk_0.mcap").unlink()
    for name in ("run.bag.active", "stroll.db3", "stroll.db3.zstd"):
        (folder / name).touch()
    names = ["run.bag.active", "stroll.db3", "walk_1.mcap.zstd"]
    assert find_bags([str(tmp_path)]) == [folder / name for name in names]


def test_parts_among_other_recordings_are_refused(tmp_path: Path) -> None:
    mixed = touch(tmp_path / "mixed", "run.mcap", "walk_0.mcap", "walk_1.mcap")
    with pytest.raises(SourceError, match=r"got 2 of walk_\*.mcap beside others"):
        find_bags([str(mixed)])


@pytest.mark.parametrize("name", ["nowhere", "nowhere/*.bag"])
def test_names_without_bags(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        find_bags([str(tmp_path / name)])


def test_bags_of_the_same_name_get_different_folders() -> None:
    jobs = make_jobs([Path("/x/a"), Path("/y/a.bag"), Path("/z/b")], Path("out"))
    assert [job.folder for job in jobs] == [Path("out/a"), Path("out/a_2"), Path("out/b")]


def evaluate(
    jobs: list[Job], config: EvaluationSettings, said: list[str], **changes: bool
) -> list[dict[str, object]]:
    options = {"resume": False, "overwrite": False} | changes
    outcomes = evaluate_in_turn(
        jobs,
        config,
        report=said.append,
        progress=Progress(),
        should_stop=lambda: False,
        **options,
    )
    return merge(outcomes)


def test_a_failing_bag_does_not_affect_the_others(
    small_bag: Path, write_bag: WriteBag, config: EvaluationSettings, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(b"no bag at all")
    jobs = make_jobs([small_bag, bad, write_bag("other", seed=5)], tmp_path / "out")
    said: list[str] = []
    first, failed, third, total = evaluate(jobs, replace(config, outputs=()), said)
    assert first["frames"] == third["frames"] == SMALL.frames
    assert failed["frames"] is None
    assert "must be a bag" in str(failed["error"])
    assert said == [f"{bad}: {failed['error']}"]
    assert total["error"] == "1 of 3 bags failed"
    pairs = [first["pairs"], third["pairs"]]
    assert total["pairs"] == sum(pairs)  # type: ignore[arg-type]
    mean = (first["mpjpe_mm"] * pairs[0] + third["mpjpe_mm"] * pairs[1]) / sum(pairs)  # type: ignore[operator]
    assert total["mpjpe_mm"] == pytest.approx(mean)


def test_unexpected_errors_are_retried(
    small_bag: Path, config: EvaluationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smpler_model.pipeline import Pipeline

    process, calls = Pipeline.process_batch, iter(range(100))

    def fail_once(self: Pipeline, *arguments: object, **options: object) -> object:
        if next(calls) == 3:
            raise RuntimeError("a passing fault")
        return process(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Pipeline, "process_batch", fail_once)
    said: list[str] = []
    rows = evaluate([Job(small_bag, tmp_path / "out")], replace(config, outputs=()), said)
    assert rows[0]["frames"] == SMALL.frames
    assert rows[0]["error"] is None
    assert said == [f"{small_bag}: RuntimeError: a passing fault; retrying"]


def test_a_retry_does_not_resume_what_it_has_to_replace(
    small_bag: Path, config: EvaluationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt fails before it has replaced the earlier run, whose results are others."""
    real, calls = bag_run.choose_checkpoint, iter(range(100))

    def fail_once(*arguments: object, **options: object) -> object:
        if next(calls) == 0:
            raise OSError("a passing fault of the disk")
        return real(*arguments, **options)  # type: ignore[arg-type]

    job, found = Job(small_bag, tmp_path / "out"), replace(config, outputs=())
    evaluate([job], found, [])
    summary = job.folder / "summary.json"
    summary.write_text(summary.read_text().replace(f'"frames": {SMALL.frames}', '"frames": 1'))
    monkeypatch.setattr(bag_run, "choose_checkpoint", fail_once)
    said: list[str] = []
    rows = evaluate([job], found, said, overwrite=True)
    assert said == [f"{small_bag}: a passing fault of the disk; retrying"]
    assert rows[0]["frames"] == SMALL.frames


def test_the_command_evaluates_files_one_by_one(
    small_bag: Path,
    write_bag: WriteBag,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, bag in (("first", small_bag), ("second", write_bag("other", seed=5))):
        shutil.copy(next(bag.glob("*.mcap")), shelf / f"{name}.mcap")
    flags = f"--output {tmp_path}/out --model {checkpoint} --backend plain --quiet"
    flags += " --detector motion --truth none --outputs"  # nobody looks at the people
    assert main([str(shelf), *flags.split()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *(f"{shelf}/first.mcap", f"{shelf}/second.mcap"),
        "all",
    ]
    assert lines[0].partition(": ")[2].startswith(f"{SMALL.frames} images, ")


def test_the_command_writes_one_table(
    small_bag: Path,
    write_bag: WriteBag,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bags = [str(small_bag), str(write_bag("other", seed=5))]
    flags = f"--output {tmp_path}/out --model {checkpoint} --backend plain --boxes truth --quiet"
    assert main([*bags, *flags.split(), "--outputs", "people"]) == 0
    with (tmp_path / "out" / "bags.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["bag"] for row in rows] == [*bags, "all"]
    assert rows[2]["frames"] == str(2 * SMALL.frames)
    assert f"all: {2 * SMALL.frames} images" in capsys.readouterr().out
    # A second time, into the same folders: each is refused with a sentence.
    assert main([*bags, *flags.split()]) == 1
    assert capsys.readouterr().err.count("use --resume to continue") == 2
