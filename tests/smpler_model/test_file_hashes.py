"""Hashes of files, against those of their contents."""

from hashlib import sha256
from pathlib import Path

from smpler_model.file_hashes import hash_each, hash_files


def test_files_one_after_another(tmp_path: Path) -> None:
    contents = [bytes(3_000_000), b"", b"last"]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert hash_files(paths) == sha256(b"".join(contents)).hexdigest()


def test_each_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    assert hash_each(tmp_path) == {name: sha256(name.encode()).hexdigest() for name in "ab"}
    assert hash_each(tmp_path / "b") == {"b": sha256(b"b").hexdigest()}
