"""Figures come to stand in the page that has a place for them."""

from pathlib import Path

import pytest

from benchmarks.report import FIGURES, PAGES, replace_section


def test_a_section_is_replaced_where_it_is() -> None:
    pages = {Path("a"): "before", Path("b"): "x\n<!-- one -->\nold\n<!-- end -->\ny"}
    replace_section(pages, "one", "new")
    assert pages == {Path("a"): "before", Path("b"): "x\n<!-- one -->\nnew\n<!-- end -->\ny"}
    with pytest.raises(ValueError, match="a or b must hold '<!-- two -->', got none"):
        replace_section(pages, "two", "new")


def test_every_file_of_figures_has_a_page() -> None:
    pages = {path: path.read_text() for path in PAGES}
    for path in FIGURES.glob("*.json"):
        replace_section(pages, path.stem, "")
