import pytest

from training.data.sequences import check_pattern, sequence_of


@pytest.mark.parametrize(
    ("key", "pattern", "name"),
    [
        ("walk_12.jpg", r"^(.*?)\d*\D*$", "walk_"),
        ("walk_12.jpg", "^(sit)", "walk_12.jpg"),
        ("walk_12.jpg", "^walk|^(sit)", "walk_12.jpg"),  # its group is not part of what is found
        ("12.jpg", r"^(.*?)\d*\D*$", ""),
    ],
)
def test_names_of_sequences(key: str, pattern: str, name: str) -> None:
    check_pattern(pattern)
    assert sequence_of(key, pattern) == name
