"""Hashes of files, arrays and texts, against those of their bytes."""

from hashlib import sha256
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.hashes import hash_each, hash_files, hash_parts, is_in_share


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


def test_texts_bytes_and_arrays_one_after_another() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    parts = ["é", b"raw", values.T, np.float64(2.5), values[:0]]
    content = "é".encode() + b"raw" + values.T.tobytes() + np.float64(2.5).tobytes()
    assert hash_parts(parts) == sha256(content).hexdigest()


def test_splits_that_people_have_made_stay_as_they_are() -> None:
    names = [f"{number}.png" for number in range(40)]
    assert [name for name in names if is_in_share(name, 0.1)] == [
        "0.png",
        "6.png",
        "8.png",
        "33.png",
    ]


@given(name=st.text(), share=st.floats(0, 1), larger=st.floats(0, 1))
def test_a_larger_share_contains_a_smaller_one(name: str, share: float, larger: float) -> None:
    assert is_in_share(name, max(share, larger)) >= is_in_share(name, share)
    assert is_in_share(name, 1)
    assert not is_in_share(name, 0)
