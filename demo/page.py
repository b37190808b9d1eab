"""The demo's last page: every look on every photo, before and after under a slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from demo.sheet import thumbnail

WIDTH, HEIGHT = 1080, 720
QUALITY = 88

STYLE = """
:root { color-scheme: light dark; --paper: #faf9f6; --ink: #282828; --quiet: #77736b; }
@media (prefers-color-scheme: dark) { :root { --paper: #161616; --ink: #ece9e2; --quiet: #98938a; } }
body { margin: 0 auto; max-width: 1500px; padding: 2.5rem 1.5rem; background: var(--paper); color: var(--ink);
       font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-weight: 600; margin: 0; } h2 { font-weight: 600; margin: 3rem 0 0; } p { margin: .2rem 0 1rem; }
p, code { color: var(--quiet); }
section { columns: 3 400px; column-gap: 1rem; }
figure { position: relative; margin: 0 0 1rem; border-radius: 6px; overflow: hidden; break-inside: avoid; }
img { display: block; width: 100%; }
img + img { position: absolute; inset: 0; clip-path: inset(0 0 0 var(--at)); }
input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
figure::after { content: ""; position: absolute; inset: 0 auto 0 var(--at); width: 2px; background: #fffc;
                pointer-events: none; }
figure:has(:focus-visible) { outline: 3px solid #4a90d9; }
"""


@dataclass(frozen=True)
class Look:
    """A preset with its results: (photo, result) each, the n-th of every look of the same photo."""

    name: str
    description: str
    pairs: Sequence[tuple[Path, Path]]


def write_page(folder: Path, looks: Sequence[Look]) -> Path:
    """Write FOLDER/index.html with its pictures in FOLDER/pictures; the path of the page."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    sections = [_section(pictures, look) for look in looks]
    page = folder / "index.html"
    page.write_text(
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>lptn: before and after</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n<h1>lptn</h1>\n"
        "<p>Drag across a photo: before is on the left, after on the right. The arrow keys work too.</p>\n"
        + "\n".join(sections)
        + "\n</html>\n",
        encoding="utf-8",
    )
    return page


def _section(pictures: Path, look: Look) -> str:
    figures = "\n".join(_figure(pictures, look.name, n, *pair) for n, pair in enumerate(look.pairs, 1))
    command = f"lptn retouch photos/ -o out/ -p {look.name}"
    head = f"<h2>{escape(look.name)}</h2><p>{escape(look.description)}<br><code>{escape(command)}</code></p>"
    return f"{head}\n<section>\n{figures}\n</section>"


def _figure(pictures: Path, look: str, number: int, photo: Path, result: Path) -> str:
    before, after = f"{number}.jpg", f"{number}-{look}.jpg"
    for path, name in ((photo, before), (result, after)):
        thumbnail(path, WIDTH, HEIGHT).save(pictures / name, quality=QUALITY)
    label = escape(f"{photo.stem}, {look}: before and after")
    return (
        f'<figure style="--at: 50%"><img loading="lazy" src="pictures/{before}" alt="before">'
        f'<img loading="lazy" src="pictures/{after}" alt="after">'
        f'<input type="range" value="50" aria-label="{label}" '
        "oninput=\"this.parentNode.style.setProperty('--at', this.value + '%')\"></figure>"
    )
