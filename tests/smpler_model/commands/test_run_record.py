"""The record of a run."""

from pathlib import Path

import pytest

from smpler_model.commands.run_record import RUN_RECORD, RunRecord, read_run_record


def test_a_record_is_read_back_and_replaced(tmp_path: Path) -> None:
    assert read_run_record(tmp_path) is None
    for complete, topic in ((False, ""), (True, "/cam/image_raw")):
        record = RunRecord("/videos/Straße 1.mp4", complete, topic)
        record.save(tmp_path)
        assert read_run_record(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == [RUN_RECORD]


def test_records_of_earlier_versions_have_no_topic(tmp_path: Path) -> None:
    (tmp_path / RUN_RECORD).write_text('{"input": "/bag", "complete": true}')
    assert read_run_record(tmp_path) == RunRecord("/bag", complete=True)


def test_only_cameras_are_live() -> None:
    assert RunRecord("0").is_live
    assert not RunRecord("/recordings/0001").is_live


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"input": "video.mp4"}', "no JSON"])
def test_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / RUN_RECORD).write_text(content)
    with pytest.raises(ValueError, match=r"run\.json must be the record of a run, got something"):
        read_run_record(tmp_path)
