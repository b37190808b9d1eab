"""What strangers say who see the results alone: sheets to show them, and the sum of their answers.

    python -m benchmarks.strangers ../shared/photos --sheets sheets/
    python -m benchmarks.strangers --sheets sheets/ --answers [--who "..."] [--out benchmarks/results]

The first writes sheets/1, sheets/2 ... for one stranger each: numbered pictures, some of them results of
the presets, some photos as they are, mixed, and what to ask. Every held-back photo of a preset's groups is
shown with it once, and no stranger sees a photo twice. Which is which is in sheets/key.json, not for
strangers. They answer in sheets/N/answers.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.looks import JOBS
from benchmarks.machine import machine, publish
from demo.sheet import GAP, INK, PAPER, on_paper
from lptn_cli import Retoucher
from lptn_cli.training.data import split
from lptn_cli.training.judge import GROUPS
from lptn_cli.training.reading import Pixels8, load_photos, tensor
from lptn_cli.training.scene import Scene

QUESTIONS = """Give your first impression of every picture on these sheets, judging from it alone, as
anyone would who sees it for two seconds. One line a picture in answers.csv: number,light,season,flaw
light: day, overcast (dull grey daylight, fog), golden (sunrise, sunset, a low sun) or night (deep dusk too)
season: summer (green plants, a beach, warm), autumn (red and golden leaves), winter (snow, frost), or none
flaw: what looks wrong or made up, in four words at most; or ok
"""
# A preset does its job where light, or else season, is one of these: as in JOBS, but a snowy night is no day.
WANTED = {name: wanted for name, (_, wanted) in JOBS.items() if wanted} | {
    "night-to-day": ("day", "overcast")
}
AS_IT_IS = "as it is"
GREEN = 0.1  # share of a photo that is vegetation, over which it has leaves that can turn
COLUMNS, ROWS = 4, 4
WIDTH, HEIGHT = 380, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--sheets", type=Path, required=True)
    parser.add_argument("--answers", action="store_true")
    parser.add_argument("--who", default="not said")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.answers:
        publish({"machine": machine(), **_sum(options.sheets, options.who)}, options.out, "strangers")
    else:
        _write(options.folder, options.sheets)


def _write(folder: Path, sheets: Path) -> None:
    held = {group: [p.pixels for p in split(load_photos(folder / group, 320))[1]] for group in GROUPS}
    shown = {group: [name for name in WANTED if group in JOBS[name][0]] + [AS_IT_IS] for group in GROUPS}
    looks = {name: Retoucher(name, "cpu") for name in WANTED}
    strangers = max(map(len, shown.values()))
    shuffled = random.Random(0)
    key: dict[str, dict[str, Any]] = {}
    for stranger in range(strangers):
        cards = []
        for group, photos in held.items():
            for n, photo in enumerate(photos):
                turn = (n + stranger) % strangers
                if turn < len(shown[group]):
                    cards.append((shown[group][turn], f"{group} {n}", photo))
        shuffled.shuffle(cards)
        place = sheets / str(stranger + 1)
        place.mkdir(parents=True)
        (place / "questions.txt").write_text(QUESTIONS)
        key[place.name] = {
            str(n): {"preset": preset, "photo": name, "vegetation": _vegetation(photo)}
            for n, (preset, name, photo) in enumerate(cards, 1)
        }
        pictures = [photo if preset == AS_IT_IS else looks[preset](photo) for preset, _, photo in cards]
        for first in range(0, len(pictures), COLUMNS * ROWS):
            sheet = _sheet(pictures[first : first + COLUMNS * ROWS], first + 1)
            sheet.save(place / f"sheet-{first // (COLUMNS * ROWS) + 1}.png")
    (sheets / "key.json").write_text(json.dumps(key, indent=1))


def _vegetation(photo: Pixels8) -> float:
    """The share of the photo that is green."""
    return round(float(Scene(tensor(photo[None])).vegetation.mean()), 3)


def _sheet(pictures: list[Any], first: int) -> Image.Image:
    sheet = Image.new("RGB", (COLUMNS * (WIDTH + GAP), ROWS * (HEIGHT + 2 * GAP)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for n, pixels in enumerate(pictures):
        picture = Image.fromarray(np.asarray(pixels, np.uint8))
        picture.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        left, top = n % COLUMNS * (WIDTH + GAP), n // COLUMNS * (HEIGHT + 2 * GAP)
        draw.text((left + GAP, top), str(first + n), INK, font)
        sheet.paste(on_paper(picture, WIDTH, HEIGHT), (left, top + 2 * GAP))
    return sheet


def _sum(sheets: Path, who: str) -> dict[str, Any]:
    key = json.loads((sheets / "key.json").read_text())
    said: dict[str, list[tuple[dict[str, Any], tuple[str, str, str]]]] = {}
    for stranger, cards in key.items():
        with (sheets / stranger / "answers.csv").open(newline="") as file:
            rows = {row[0].strip(): [word.strip() for word in row[1:4]] for row in csv.reader(file) if row}
        for number, card in cards.items():
            light, season, flaw = rows[number]
            said.setdefault(card["preset"], []).append((card, (light, season, flaw)))
    looks = {preset: _told(answers, WANTED[preset]) for preset, answers in said.items() if preset in WANTED}
    real = said[AS_IT_IS]
    right = sum(_group(card) in answer[:2] for card, answer in real)
    return {
        "what": "strangers' first impression of results of held-back photos, mixed with photos as they are",
        "who": who,
        "photos as they are": {"count": len(real), "taken for their group": round(right / len(real), 3)},
        "looks": looks,
    }


def _group(card: dict[str, Any]) -> str:
    return str(card["photo"].split()[0])


def _told(
    answers: list[tuple[dict[str, Any], tuple[str, str, str]]], wanted: tuple[str, ...]
) -> dict[str, Any]:
    does = [(card, light in wanted or season in wanted) for card, (light, season, _) in answers]
    by_group: dict[str, list[bool]] = {}
    for card, done in does:
        by_group.setdefault(_group(card), []).append(done)
    green = [done for card, done in does if card["vegetation"] >= GREEN]
    return {
        "count": len(answers),
        "does its job": round(sum(done for _, done in does) / len(does), 3),
        "of each group": {group: [sum(done), len(done)] for group, done in by_group.items()},
        "of photos with vegetation": [sum(green), len(green)],
        "without a flaw": round(sum(flaw == "ok" for _, (_, _, flaw) in answers) / len(answers), 3),
        "flaws": dict(Counter(flaw for _, (_, _, flaw) in answers if flaw != "ok").most_common(6)),
    }


if __name__ == "__main__":
    main()
