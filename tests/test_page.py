"""The demo's page names every picture it shows, and every picture is there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from demo.page import Look, write_page
from tests.command import save
from tests.conftest import photo


class Found(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_shows_before_and_after_of_every_look(tmp_path: Path) -> None:
    pairs = []
    for n, folder in enumerate(("a", "b <i>")):  # one name in two folders, and one with markup
        before = save(tmp_path / folder / "x.jpg", photo(40, 60, seed=n))
        pairs.append((before, save(tmp_path / folder / "night.jpg", photo(40, 60, seed=n) // 3)))
    page = write_page(tmp_path / "out", [Look("night", "dark & <deep>", pairs), Look("day", "", pairs)])
    found = Found()
    found.feed(page.read_text("utf-8"))
    sources = [attributes["src"] or "" for tag, attributes in found.tags if tag == "img"]
    assert len(sources) == 8
    assert len(set(sources)) == 6  # the photo itself is shown under both looks
    assert all((tmp_path / "out" / source).stat().st_size > 500 for source in sources)
    assert "dark &amp; &lt;deep&gt;" in page.read_text("utf-8")
    assert [tag for tag, _ in found.tags].count("input") == 4
