import os
import pickle
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.tsv import TsvFile, find_rows


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "a.tsv"
    path.write_bytes("one\tä\nzwei\tb\tc\n\ttail\n".encode())
    return path


def test_rows_have_columns(table: Path) -> None:
    file = TsvFile(table)
    assert [file.row(i) for i in range(len(file))] == [
        ["one", "ä"],
        ["zwei", "b", "c"],
        ["", "tail"],
    ]
    assert file.key(1) == "zwei"


def test_a_missing_index_is_created_once(table: Path) -> None:
    TsvFile(table)
    index = table.with_suffix(".lineidx")
    assert index.read_text().split() == ["0", "7", "16"]
    index.write_text("0\n7\n16\n")
    before = index.stat().st_mtime_ns
    TsvFile(table)
    assert index.stat().st_mtime_ns == before
    assert sorted(p.name for p in table.parent.iterdir()) == ["a.lineidx", "a.tsv"]


@pytest.mark.parametrize("content", ["0\n7\n", "0\n8\n16\n17\n", "7\n16\n", "0\n16\n7\n", "x\n"])
def test_index_of_another_file_is_refused(table: Path, content: str) -> None:
    table.with_suffix(".lineidx").write_text(content)
    with pytest.raises(ValueError, match="remove it"):
        TsvFile(table)


def test_the_last_row_may_lack_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\t1\nb\t2")
    assert TsvFile(path).row(1) == ["b", "2"]


def test_a_read_only_folder(table: Path, tmp_path: Path) -> None:
    """The index cannot be saved because a folder has its name; rows are read nevertheless."""
    blocked = tmp_path / "blocked.tsv"
    shutil.copy(table, blocked)
    blocked.with_suffix(".lineidx").mkdir()
    assert len(TsvFile(blocked)) == 3


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=9)))
def test_rows_are_found_where_lines_begin(lines: list[str]) -> None:
    path = Path(tempfile.gettempdir()) / f"rows-{os.getpid()}"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    starts = find_rows(path).tolist()
    content = path.read_bytes()
    path.unlink()
    ends = [*starts[1:], len(content)][: len(starts)]
    found = [content[a:b].decode().removesuffix("\n") for a, b in zip(starts, ends, strict=True)]
    assert found == lines


def test_handles_are_not_pickled(table: Path) -> None:
    file = TsvFile(table)
    file.row(0)
    copy = pickle.loads(pickle.dumps(file))
    assert copy.row(2) == file.row(2)
    child = os.fork()
    if child == 0:
        os._exit(0 if file.row(1)[0] == "zwei" else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_missing_rows_and_files_are_named(table: Path) -> None:
    with pytest.raises(IndexError, match="row 3"):
        TsvFile(table).row(3)
    with pytest.raises(FileNotFoundError, match=r"none\.tsv"):
        TsvFile(table.with_name("none.tsv"))
