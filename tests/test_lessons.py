"""Teachers and guests make the pairs that LPTN learns from."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lptn_cli.codecs import decode
from lptn_cli.preset import Preset
from lptn_cli.training.data import PairData
from lptn_cli.training.lessons import Lesson, Staff, lessons, main, preset_guest, write_pairs
from lptn_cli.training.maxim import Maxim
from lptn_cli.training.reading import Pair, each_pair, tensor
from lptn_cli.training.teacher import Teacher
from lptn_cli.translate import Retoucher
from tests.conftest import photo
from tests.tfjs_models import Step, write_model


@pytest.fixture(scope="module")
def teachers() -> list[Teacher]:
    torch.manual_seed(1)
    return [Teacher(0).eval(), Teacher(0).eval()]


@pytest.fixture(scope="module")
def staff(teachers: list[Teacher]) -> Staff:
    return Staff(teachers[:1])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """x * (0.4 + 0.5 x): in [0, 0.9], a polynomial of colours."""
    weights = {"a": np.array([0.4], np.float32), "b": np.array([0.5], np.float32)}
    steps: list[Step] = [
        ("bx", "Mul", ("x", "b"), {}),
        ("c", "AddV2", ("bx", "a"), {}),
        ("y", "Mul", ("x", "c"), {}),
    ]
    return write_model(tmp_path / "models", weights, *steps)


def some(seed: int) -> Tensor:
    return tensor(photo(64, 80, seed=seed)[None])


def test_several_teachers_teach_their_mean(teachers: list[Teacher]) -> None:
    before = some(7)
    each = [Staff([one]).taught(before) for one in teachers]
    assert torch.allclose(Staff(teachers).taught(before), (each[0] + each[1]) / 2, atol=1e-6)


def test_guests_have_their_shares_one_after_the_other(staff: Staff, preset: Preset) -> None:
    before = tensor(photo(96, 128, seed=7)[None])
    said = tensor(np.asarray(Retoucher(preset, "cpu")(photo(96, 128, seed=7)), np.uint8)[None])
    guests = [(preset_guest(str(preset.path)), 0.3), (torch.zeros_like, 0.5)]
    expected = 0.5 * (0.7 * staff.taught(before) + 0.3 * said)
    assert torch.allclose(Staff(staff.teachers, guests).taught(before), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 96), (90, 60)])
def test_what_maxim_says_of_a_small_copy_is_brought_to_the_photo(model: Path, size: tuple[int, int]) -> None:
    before = tensor(photo(*size, seed=3)[None])
    expected = before * (0.4 + 0.5 * before)
    assert torch.allclose(Maxim(model)(before), expected, atol=0.01)  # bfloat16 on the way


def test_lessons_are_of_pairs_of_flat_renderings_and_of_photos_to_leave_alone(staff: Staff) -> None:
    pairs = [Pair(f"{n:02}", photo(64, 80, seed=n), photo(64, 80, seed=n)) for n in range(3)]
    good = [Pair(f"good-{n}", photo(64, 80, seed=n), photo(64, 80, seed=n)) for n in (20, 21)]
    fine = [Pair("fine", photo(64, 80, seed=40), photo(64, 80, seed=40))]
    data = PairData(pairs, fine, good, [], [], [])
    told = {lesson.name: lesson for lesson in lessons(data, renderings=2, parts=3, seed=0)}
    flat = {f"good-{n}-flat-{k}" for n in (20, 21) for k in range(2)}
    parts = {f"good-{n}-part-{k}" for n in (20, 21) for k in range(3)}
    assert told.keys() == {pair.name for pair in pairs} | flat | parts | {"fine-good"}
    before = told["fine-good"].photo
    assert torch.allclose(told["fine-good"].taught(staff), (before + staff.taught(before)) / 2, atol=1e-6)
    assert torch.allclose(told["00"].taught(staff), staff.taught(told["00"].photo), atol=1e-6)
    assert len({float(told[name].photo.mean()) for name in flat | parts}) == len(flat | parts)
    for name in parts:  # enlarged: next to no fine detail
        part, whole = told[name].photo, told[name.rsplit("-", 2)[0] + "-flat-0"].photo
        assert part.shape == whole.shape
        assert float(part.diff(dim=3).abs().mean()) < float(whole.diff(dim=3).abs().mean())


def test_pairs_are_written_once(staff: Staff, tmp_path: Path) -> None:
    chosen = [Lesson("a", some(1)), Lesson("b", some(2), 0.5)]
    write_pairs(chosen[:1], staff, tmp_path)
    first = (tmp_path / "target" / "a.jpg").stat()
    write_pairs(chosen, staff, tmp_path)
    assert (tmp_path / "target" / "a.jpg").stat().st_mtime_ns == first.st_mtime_ns
    for pair, lesson in zip(each_pair(tmp_path, 64, print), chosen, strict=True):
        assert pair.name == lesson.name
        for pixels, side in zip((pair.input, pair.target), (lesson.photo, lesson.taught(staff)), strict=True):
            assert float((tensor(pixels[None]) - side).abs().mean()) < 0.01
    assert decode((tmp_path / "input" / "a.jpg").read_bytes()).subsampling == "444"


def test_photos_of_one_name_in_two_folders_are_two_lessons(staff: Staff, tmp_path: Path) -> None:
    write_pairs([Lesson("a", some(1)), Lesson("a", some(2))], staff, tmp_path)
    assert {file.name for file in (tmp_path / "target").iterdir()} == {"a.jpg", "a-2.jpg"}


def test_the_command_goes_on_with_the_teachers_it_finds(
    teachers: list[Teacher],
    pairs: Path,
    model: Path,
    preset: Preset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for n, teacher in enumerate(teachers, 1):
        torch.save(teacher.state_dict(), out / f"teacher-{n}.pt")
    guests = ["--guest", str(preset.path), "--maxim", str(model)]
    monkeypatch.setattr(sys, "argv", ["lessons", str(pairs), "-o", str(out), *guests])
    monkeypatch.setattr("lptn_cli.training.lessons.SHORT_SIDE", 64)  # the pairs are small
    main()
    assert "all so far: " in capsys.readouterr().out
    staff = Staff(teachers, [(preset_guest(str(preset.path)), 0.3), (Maxim(model), 0.5)])
    written = list(each_pair(out, 64, print))
    assert written
    for pair in written[:3]:
        expected = staff.taught(tensor(pair.input[None]))
        assert float((tensor(pair.target[None]) - expected).abs().mean()) < 0.01
