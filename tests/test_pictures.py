"""What a training run shows: the contact sheet and the curves."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from lptn_cli.codecs import decode
from lptn_cli.training.pictures import PAPER, POINTS, write_curves, write_sheet
from tests.conftest import photo


def test_a_sheet_shows_before_and_after_of_each_photo(tmp_path: Path) -> None:
    wide, tall = photo(60, 90, seed=1), photo(90, 60, seed=2)
    write_sheet(tmp_path / "sheet.png", [(wide, 255 - wide), (tall, tall)], cell=90, columns=1)
    sheet = decode((tmp_path / "sheet.png").read_bytes(), max_pixels=10**6).pixels
    assert sheet.shape == (180, 180, 3)
    np.testing.assert_array_equal(sheet[:60, :90], wide)
    np.testing.assert_array_equal(sheet[:60, 90:], 255 - wide)
    np.testing.assert_array_equal(sheet[90:, 90:150], tall)
    assert (sheet[60:90] == PAPER).all()


def test_curves_show_the_loss_and_every_figure_and_pass_over_a_torn_line(tmp_path: Path) -> None:
    steps = [{"step": n, "seconds": 6.0 * n, "loss": 1 / n} for n in range(1, 1001)]
    steps[-1]["measured"] = {"psnr<": 27.5}  # type: ignore[assignment]
    write_curves(tmp_path / "losses.svg", [*map(json.dumps, steps), '{"step": 1001, "sec'])
    svg = ElementTree.fromstring((tmp_path / "losses.svg").read_text())
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text or "" for text in svg.iter(f"{space}text")]
    assert texts[0].startswith("loss: ")
    assert "99.8 minutes" in texts[0]
    assert texts[1].startswith("psnr<: 27.5")
    first, second = (line.get("points", "").split() for line in svg.iter(f"{space}polyline"))
    assert (len(first), len(second)) == (POINTS, 1)
    heights = [float(place.split(",")[1]) for place in first]
    assert heights == sorted(heights)  # a falling loss goes down the page
