"""A teacher learns a look from few pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lptn_cli.errors import StartError
from lptn_cli.training.data import PairData
from lptn_cli.training.eye import load_eye
from lptn_cli.training.lessons import Staff
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.reading import Pair, tensor
from lptn_cli.training.teacher import Teacher, train
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


def test_what_is_missing_is_named_with_the_remedy() -> None:
    with pytest.raises(
        StartError, match=r"EfficientNet-Lite9.*efficientnet_lite9_pytorch_model.*lptn\[eye\]"
    ):
        load_eye(9)
