"""The model card's figures, which tests hold what runs against."""

import re
from pathlib import Path

CARD = Path(__file__).parents[1] / "docs" / "smpler_nano.md"
COLUMNS = ("mpjpe_mm", "pa_mpjpe_mm", "mpve_mm")


def read_card(row: str = "smpler_nano") -> dict[str, float]:
    """Return the held-out errors in a row of the card, mm, by the names of `FIGURES`."""
    found = re.search(rf"^\| {row} \|(.*)\|$", CARD.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"the card must have a row {row}"
    values = map(float, found[1].split("|"))
    return dict(zip(COLUMNS, values, strict=True))
