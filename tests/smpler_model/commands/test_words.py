from smpler_model.commands.words import counted


def test_one_is_singular() -> None:
    assert [counted(n, "track") for n in (0, 1, 2)] == ["0 tracks", "1 track", "2 tracks"]
    assert [counted(n, "person", "people") for n in (1, 5)] == ["1 person", "5 people"]
