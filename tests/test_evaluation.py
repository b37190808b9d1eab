"""The figures of `lptn evaluate`, each pinned on pictures whose figure is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lptn_cli import Retoucher
from lptn_cli.codecs import decode, encode
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.preset import Preset
from lptn_cli.training import evaluation
from lptn_cli.training.judge import GROUPS, judged, load_judge
from tests.command import run
from tests.conftest import photo


def test_psnr() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    assert evaluation.psnr(black, black) == 100
    assert evaluation.psnr(black + 255, black) == pytest.approx(0)
    assert evaluation.psnr(black + 16, black) == pytest.approx(20 * np.log10(255 / 16))


def test_structure_and_turned() -> None:
    picture = photo(120, 160)
    assert evaluation.structure_and_turned(picture, picture) == pytest.approx((1.0, 0.0), abs=1e-4)
    darker = (picture // 2).astype(np.uint8)
    structure, turned = evaluation.structure_and_turned(picture, darker)
    assert structure > 0.95 and turned < 0.01
    structure, turned = evaluation.structure_and_turned(picture, 255 - picture)
    assert structure < -0.7 and turned > 0.99


def test_blotch() -> None:
    flat = np.full((100, 120, 3), 90, np.uint8)
    steps = flat.copy()
    steps[:, ::2] += 10  # every horizontal difference is 10 levels
    assert evaluation.blotch(flat, flat) == 0
    assert evaluation.blotch(flat, steps) == pytest.approx(10, abs=0.1)


def test_border_and_size(preset: Preset) -> None:
    look = Retoucher(preset, "cpu")
    assert evaluation.border(look, 128) <= 2
    assert evaluation.size_consistency(look, photo(700, 900) // 2 + 60) > 38


def test_border_sees_one() -> None:
    class Framed:
        def __call__(self, pixels: Any) -> Any:
            result = pixels.copy()
            result[:3] += 30
            return result

    look: Any = Framed()
    assert evaluation.border(look, 128) == 30


def test_judge_tells_night_from_white() -> None:
    """Weights are there, belong to the network, and the accuracy that they claim is over that of guessing."""
    judge, accuracy = load_judge()
    assert accuracy["all"] > 0.6
    night = np.full((240, 320, 3), (6, 7, 14), np.uint8)
    night[150:160, ::20] = (250, 200, 120)
    (group,) = judged(judge, [night])
    assert group in GROUPS
    assert group == "night"


def test_the_command(preset: Preset, tmp_path: Path) -> None:
    for side in ("input", "target"):
        (tmp_path / side).mkdir()
        data = encode(Image(photo(90, 120), "png"), EncodeOptions("png"))
        (tmp_path / side / "a.png").write_bytes(data)
    words = ("evaluate", "-p", preset.path, "-d", "cpu", "--pairs", tmp_path)
    sheet = tmp_path / "sheet.png"
    ran = run(*words, "--photos", tmp_path / "input", "--sheet", sheet, "--json")
    assert ran.code == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert figures["pairs"]["psnr_before"] == 100
    assert figures["pairs"]["ssim_before"] == pytest.approx(1)
    assert figures["pairs"]["ciede2000"] > 1
    assert set(figures["photos"]) >= {"judged", "structure", "turned", "blotch", "border"}
    assert decode(sheet.read_bytes()).pixels.shape == (320, 1920, 3)
    assert run("evaluate", "-p", preset.path).code == 2
    assert run("evaluate", "-p", preset.path, "--photos", tmp_path / "none").code == 2
