"""A teacher learns a look from few pairs, leaves out what is held back, and writes pairs that show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lptn_cli.codecs import decode
from lptn_cli.errors import StartError
from lptn_cli.preset import Preset
from lptn_cli.training.data import Pair, PairData, load_sides, tensor
from lptn_cli.training.eye import load_eye
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.teacher import RENDERINGS, Staff, Teacher, lessons, train, write_pairs
from lptn_cli.translate import Retoucher
from tests.conftest import photo

STEPS = 26
CPU = torch.device("cpu")


def brightened(name: str, seed: int) -> Pair:
    before = photo(64, 80, seed=seed) // 2
    after = np.clip(before * np.array([1.8, 1.6, 1.3]), 0, 255).astype(np.uint8)
    return Pair(name, before, after)


@pytest.fixture(scope="module")
def data() -> PairData:
    pairs = [brightened(f"{n:02}", n) for n in range(12)]
    good = [Pair(f"good-{n}", photo(64, 80, seed=n), photo(64, 80, seed=n)) for n in (20, 21)]
    fine = [Pair("fine", photo(64, 80, seed=40), photo(64, 80, seed=40))]
    return PairData(pairs, fine, good, [brightened("held", 30)], [], [])


def error(result: Tensor, pair: Pair) -> float:
    return float((result - tensor(pair.target[None])).abs().mean())


@pytest.fixture(scope="module")
def teacher(data: PairData) -> Teacher:
    objective = PairObjective(PairData(data.pairs, [], [], data.held_back, [], []), CPU)
    with pytest.MonkeyPatch.context() as patch:  # little is enough for one look
        for name, value in (("SIDE", 32), ("BATCH", 6), ("WARM_UP_STEPS", 3)):
            patch.setattr(f"lptn_cli.training.teacher.{name}", value)
        return train(objective, 0, lambda step: step / STEPS, seed=0)


def test_it_learns_a_look_from_few_pairs(teacher: Teacher, data: PairData) -> None:
    pair = data.held_back[0]
    before = tensor(pair.input[None])
    assert error(Staff([teacher]).taught(before), pair) < 0.6 * error(before, pair)


def test_it_sees_a_photo_and_its_mirror_image_alike(teacher: Teacher) -> None:
    before = tensor(photo(48, 72, seed=7)[None])
    mirrored = Staff([teacher]).taught(before.flip(3)).flip(3)
    assert torch.allclose(Staff([teacher]).taught(before), mirrored, atol=1e-4)


def test_one_mapping_of_colours_for_a_whole_photo(teacher: Teacher) -> None:
    before = tensor(photo(48, 72, seed=7)[None])
    before[0, :, 5, 5] = before[0, :, 40, 60]
    result = Staff([teacher]).taught(before)
    assert torch.allclose(result[0, :, 5, 5], result[0, :, 40, 60], atol=1e-5)


def test_several_teachers_teach_their_mean(teacher: Teacher) -> None:
    before = tensor(photo(48, 72, seed=7)[None])
    torch.manual_seed(1)
    other = Teacher(0).eval()
    each = [Staff([one]).taught(before) for one in (teacher, other)]
    assert torch.allclose(Staff([teacher, other]).taught(before), (each[0] + each[1]) / 2, atol=1e-6)


def test_a_guest_has_its_share(teacher: Teacher, preset: Preset) -> None:
    before = tensor(photo(96, 128, seed=7)[None])
    guest = Retoucher(preset, "cpu")
    said = tensor(np.asarray(guest(photo(96, 128, seed=7)), np.uint8)[None])
    expected = 0.7 * Staff([teacher]).taught(before) + 0.3 * said
    assert torch.allclose(Staff([teacher], guest, 0.3).taught(before), expected, atol=1e-5)


def test_lessons_are_of_pairs_of_flat_renderings_and_of_photos_to_leave_alone(
    teacher: Teacher, data: PairData, tmp_path: Path
) -> None:
    taught = {name: (photo, after) for name, photo, after in lessons(Staff([teacher]), data, seed=0)}
    flat = {f"good-{n}-flat-{k}" for n in (20, 21) for k in range(RENDERINGS)}
    parts = {"good-20-part", "good-21-part"}
    assert taught.keys() == {pair.name for pair in data.pairs} | flat | parts | {"fine-good"}
    before, after = taught["fine-good"]
    assert torch.allclose(after, (before + Staff([teacher]).taught(before)) / 2, atol=1e-6)
    assert len({float(taught[name][0].mean()) for name in flat}) == len(flat)
    for name in parts:  # enlarged: next to no fine detail
        whole = taught[name.replace("part", "flat-0")][0]
        assert taught[name][0].shape == whole.shape
        assert float(taught[name][0].diff(dim=3).abs().mean()) < float(whole.diff(dim=3).abs().mean())
    chosen = [(name, taught[name][0], taught[name][1]) for name in ("00", "good-20-flat-1")]
    write_pairs(chosen, tmp_path)
    for pair, (name, *sides) in zip(load_sides(tmp_path, 64), chosen, strict=True):
        assert pair.name == name
        for pixels, side in zip((pair.input, pair.target), sides, strict=True):
            assert float((tensor(pixels[None]) - side).abs().mean()) < 0.01
    assert decode((tmp_path / "input" / "00.jpg").read_bytes()).subsampling == "444"


def test_what_is_missing_is_named_with_the_remedy() -> None:
    with pytest.raises(
        StartError, match=r"EfficientNet-Lite9.*efficientnet_lite9_pytorch_model.*lptn\[eye\]"
    ):
        load_eye(9)
