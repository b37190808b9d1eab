"""A teacher learns a look from few pairs, leaves out what is held back, and writes pairs that show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lptn_cli.codecs import decode
from lptn_cli.errors import StartError
from lptn_cli.training.data import Pair, PairData, load_sides, tensor
from lptn_cli.training.eye import load_eye
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.teacher import RENDERINGS, Teacher, renderings, taught, train, write_pairs
from tests.conftest import photo

STEPS = 12
CPU = torch.device("cpu")


def brightened(name: str, seed: int) -> Pair:
    before = photo(64, 80, seed=seed) // 2
    after = np.clip(before * np.array([1.8, 1.6, 1.3]), 0, 255).astype(np.uint8)
    return Pair(name, before, after)


@pytest.fixture(scope="module")
def data() -> PairData:
    pairs = [brightened(f"{n:02}", n) for n in range(12)]
    good = [Pair(f"good-{n}", photo(64, 80, seed=n), photo(64, 80, seed=n)) for n in (20, 21)]
    return PairData(pairs, [], good, [brightened("held", 30)], [], [])


def error(result: Tensor, pair: Pair) -> float:
    return float((result - tensor(pair.target[None])).abs().mean())


@pytest.fixture(scope="module")
def teacher(data: PairData) -> Teacher:
    objective = PairObjective(PairData(data.pairs, [], [], data.held_back, [], []), CPU)
    return train(objective, 0, lambda step: step / STEPS, seed=0)


def test_it_learns_a_look_from_few_pairs(teacher: Teacher, data: PairData) -> None:
    pair = data.held_back[0]
    before = tensor(pair.input[None])
    assert error(taught([teacher], before), pair) < 0.6 * error(before, pair)


def test_it_sees_a_photo_and_its_mirror_image_alike(teacher: Teacher) -> None:
    before = tensor(photo(48, 72, seed=7)[None])
    mirrored = taught([teacher], before.flip(3)).flip(3)
    assert torch.allclose(taught([teacher], before), mirrored, atol=1e-4)


def test_one_mapping_of_colours_for_a_whole_photo(teacher: Teacher) -> None:
    before = tensor(photo(48, 72, seed=7)[None])
    before[0, :, 5, 5] = before[0, :, 40, 60]
    result = taught([teacher], before)
    assert torch.allclose(result[0, :, 5, 5], result[0, :, 40, 60], atol=1e-5)


def test_several_teachers_teach_their_mean(teacher: Teacher) -> None:
    before = tensor(photo(48, 72, seed=7)[None])
    torch.manual_seed(1)
    other = Teacher(0).eval()
    each = [taught([one], before) for one in (teacher, other)]
    assert torch.allclose(taught([teacher, other], before), (each[0] + each[1]) / 2, atol=1e-6)


def test_the_pairs_written_are_the_inputs_and_renderings_of_photos_and_what_is_taught(
    teacher: Teacher, data: PairData, tmp_path: Path
) -> None:
    chosen = list(renderings(data, seed=0))
    names = {name for name, _ in chosen}
    expected = {pair.name for pair in data.pairs} | {
        f"good-{n}-{k}" for n in (20, 21) for k in range(RENDERINGS)
    }
    assert names == expected
    write_pairs([teacher], chosen[-2:], tmp_path)
    written = load_sides(tmp_path, 64)
    assert [pair.name for pair in written] == [f"good-20-{RENDERINGS - 1}", f"good-21-{RENDERINGS - 1}"]
    for (_, before), pair in zip(chosen[-2:], written, strict=True):
        assert float((tensor(pair.input[None]) - before).abs().mean()) < 0.01
        assert error(taught([teacher], before), pair) < 0.01
    assert decode((tmp_path / "input" / "good-20-3.jpg").read_bytes()).subsampling == "444"


def test_what_is_missing_is_named_with_the_remedy() -> None:
    with pytest.raises(
        StartError, match=r"EfficientNet-Lite9.*efficientnet_lite9_pytorch_model.*lptn\[eye\]"
    ):
        load_eye(9)
