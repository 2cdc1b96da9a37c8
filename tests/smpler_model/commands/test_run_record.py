"""The record of a run."""

from pathlib import Path

import pytest

from smpler_model.commands.run_record import RUN_RECORD, RunRecord, read_run_record


def test_a_record_is_read_back_and_replaced(tmp_path: Path) -> None:
    assert read_run_record(tmp_path) is None
    for complete in (False, True):
        record = RunRecord("/videos/Straße 1.mp4", complete)
        record.save(tmp_path)
        assert read_run_record(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == [RUN_RECORD]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"input": "video.mp4"}', "no JSON"])
def test_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / RUN_RECORD).write_text(content)
    with pytest.raises(ValueError, match=r"run\.json must be the record of a run, got something"):
        read_run_record(tmp_path)
