"""The figures of `lptn evaluate`, each pinned on pictures whose figure is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lptn_cli import Retoucher
from lptn_cli.codecs import decode, encode
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.preset import Preset
from lptn_cli.training import evaluation
from lptn_cli.training.data import load_groups, split
from lptn_cli.training.judge import GROUPS, judged, load_judge
from lptn_cli.training.reading import Pair, load_photos
from tests.command import run, save
from tests.conftest import make_preset, photo


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


def test_of_many_photos_one_at_a_time_is_in_memory() -> None:
    told: list[str] = []

    def look(pixels: Any) -> Any:
        told.append("look")
        return pixels

    def photos() -> Iterator[Any]:
        for n in range(3):
            told.append("read")
            yield photo(60, 80, seed=n)

    as_it_is: Any = look
    assert evaluation.on_photos(as_it_is, photos())["count"] == 3
    assert told[:6] == ["read", "look"] * 3
    told.clear()
    assert evaluation.on_pairs(as_it_is, (Pair("a", one, one) for one in photos()))["psnr"] == 100
    assert told == ["read", "look"] * 3


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
    again = run(*words, "--sheet", sheet)
    assert (again.code, "--overwrite" in again.error) == (2, True)
    assert run(*words, "--sheet", sheet, "--overwrite").code == 0
    assert decode(sheet.read_bytes()).pixels.shape == (320, 1920, 3)  # of the pairs
    in_the_way = run(*words, "--sheet", sheet / "sheet.png")
    remedy = "a file is in the way of its folder; choose another folder with --sheet"
    assert (in_the_way.code, remedy in in_the_way.error) == (4, True)
    assert "end in .png" in run(*words, "--sheet", tmp_path / "a.jpg").error
    assert run("evaluate", "-p", preset.path, "--photos", tmp_path / "none").code == 2


def test_a_sheet_does_not_replace_or_join_the_photos_it_shows(preset: Preset, tmp_path: Path) -> None:
    for name in ("photos/own.png", "pairs/input/a.png", "pairs/target/a.png"):
        save(tmp_path / name, photo(90, 120))
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    words = ("evaluate", "-p", preset.path, "-d", "cpu", "--photos", tmp_path / "photos")
    before = (tmp_path / "photos" / "own.png").read_bytes()
    for sheet in ("photos/own.png", "photos/deep/new.png", "link/new.png", "pairs/input/a.png"):
        ran = run(*words, "--pairs", tmp_path / "pairs", "--sheet", tmp_path / sheet, "--overwrite")
        assert (ran.code, "would lie among the photos of" in ran.error) == (2, True)
    assert (tmp_path / "photos" / "own.png").read_bytes() == before
    assert not (tmp_path / "photos" / "deep").exists()


def test_what_cannot_be_measured_is_named_and_the_rest_is_measured(preset: Preset, tmp_path: Path) -> None:
    for name, pixels in (("good", photo(90, 120)), ("tiny", photo(1, 1))):
        for side in ("input", "target"):
            save(tmp_path / side / f"{name}.png", pixels)
    (tmp_path / "input" / "cut.jpg").write_bytes(b"\xff\xd8\xff and no more")
    words = ("evaluate", "-p", preset.path, "-d", "cpu", "--json")
    ran = run(*words, "--photos", tmp_path / "input", "--pairs", tmp_path)
    assert ran.code == 0
    figures = json.loads(ran.stdout)
    assert figures["photos"]["count"] == figures["pairs"]["count"] == 1
    for name in ("input/cut.jpg: ", "input/tiny.png: its short side", "target/tiny.png: its short side"):
        assert f"lptn: skipped {tmp_path}/{name}" in ran.stderr


def test_nothing_to_measure_is_said(preset: Preset, tmp_path: Path) -> None:
    for side in ("input", "target"):
        (tmp_path / side).mkdir()
    words = ("evaluate", "-p", preset.path, "-d", "cpu")
    for where, said in (
        (("--pairs", tmp_path), "no usable pairs"),
        (("--photos", tmp_path), "no usable photos"),
    ):
        ran = run(*words, *where)
        assert (ran.code, said in ran.error) == (3, True)


def test_held_back_photos_are_those_of_training_however_the_folders_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where some are too small to train on."""
    preset = make_preset(tmp_path / "look", native_scale=64)
    for n in range(200):
        save(tmp_path / str(n % 2) / f"{n}.png", photo(60 if n % 5 == 0 else 64, 70, seed=n))
    folders = [tmp_path / "0", tmp_path / "1"]

    def on_photos(_: Any, photos: Iterable[Any]) -> dict[str, Any]:
        return {"photos": (seen := list(photos)), "count": len(seen)}

    monkeypatch.setattr(evaluation, "on_photos", on_photos)

    def measured(*given: Path) -> set[bytes]:
        figures = evaluation.evaluate(str(preset.path), given, None, held_back=True, device="cpu")
        return {pixels.tobytes() for pixels in figures["photos"]["photos"]}

    for given in (folders, [tmp_path]):
        kept = {pixels.tobytes() for pixels in load_groups(given, given, [], 64).held_back}
        assert len(kept) > 5
        assert measured(*folders) == measured(tmp_path) == kept
        assert measured(folders[0]) | measured(folders[1]) == kept


def test_of_several_folders_that_are_trained_on_each_holds_back_a_photo_of_its_own(
    preset: Preset, tmp_path: Path
) -> None:
    for n in range(24):
        save(tmp_path / str(n % 2) / f"{n}.png", photo(70, 80, seed=n))
    folders = [tmp_path / "0", tmp_path / "1"]
    kept = load_groups(folders, folders, [], 64).held_back
    for folder in folders:
        (one,) = split(load_photos(folder, 64))[1]
        assert any(np.array_equal(one.pixels, pixels) for pixels in kept)


def test_of_several_small_folders_the_one_photo_that_training_holds_back_is_measured(
    preset: Preset, tmp_path: Path
) -> None:
    for n in range(12):
        save(tmp_path / str(n % 3) / f"{n}.png", photo(70, 80, seed=n))
    folders = [tmp_path / str(n) for n in range(3)]
    assert len(load_groups(folders, folders, [], 64).held_back) == 1
    figures = evaluation.evaluate(str(preset.path), folders, None, held_back=True, device="cpu")
    assert figures["photos"]["count"] == 1


def test_a_folder_that_is_given_twice_is_measured_once(preset: Preset, tmp_path: Path) -> None:
    folder = save(tmp_path / "photos" / "a.png", photo(70, 80)).parent
    heard: list[str] = []
    given = [folder, folder.parent / "." / folder.name, tmp_path / "photos" / ".." / "photos"]
    figures = evaluation.evaluate(str(preset.path), given, None, device="cpu", hear=heard.append)
    assert (figures["photos"]["count"], heard) == (1, ["reading the photos, 1 so far"])


def test_of_a_few_photos_none_is_held_back_and_that_is_said(preset: Preset, tmp_path: Path) -> None:
    save(tmp_path / "a.png", photo(70, 80))
    ran = run("evaluate", "-p", preset.path, "-d", "cpu", "--photos", tmp_path, "--held-back")
    assert (ran.code, "holds back none of these photos" in ran.error) == (3, True)
