"""Which photos training holds back, and that it learns from none that shows the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lptn_cli.training.data import held_back, load_groups, load_pairs, split
from lptn_cli.training.reading import Named, Pair, load_photos
from tests.command import save
from tests.conftest import photo


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 60, 400])
def test_photos_that_come_one_at_a_time_are_held_back_as_those_of_a_list(count: int) -> None:
    pixels = np.zeros((1, 1, 3), np.uint8)
    for run in range(20):
        photos = [Named(f"{run}-{n}", pixels) for n in range(count)]
        assert held_back([iter(photos)]) == (split(photos)[1], count)
    rare = [photo for photo in (Named(str(n), pixels) for n in range(999)) if split([photo] * 2)[1]]
    assert held_back([iter(rare[:count])]) == (split(rare[:count])[1], min(count, len(rare)))


def test_held_back_photos_are_always_the_same_and_never_trained_on(pairs: Path) -> None:
    once, again = load_pairs(pairs, [], [], 64), load_pairs(pairs, [], [], 64)
    held = {pair.name for pair in once.held_back}
    assert held == {pair.name for pair in again.held_back}
    assert held
    assert not held & {pair.name for pair in once.pairs}


def test_photos_of_one_name_are_not_all_held_back(tmp_path: Path) -> None:
    """As of a folder for each session; the hash of this name is among those held back."""
    for n in range(10):
        for side in ("input", "target"):
            save(tmp_path / side / f"s{n}" / "original.png", photo(66, 80, seed=n))
    data = load_pairs(tmp_path, [], [], 64)
    assert (len(data.pairs), len(data.held_back)) == (5, 5)
    groups = load_groups([tmp_path / "input"], [tmp_path / "target"], [], 64)
    assert (len(groups.photos), len(groups.targets), len(groups.held_back)) == (5, 5, 5)


def test_of_several_small_folders_a_photo_is_held_back(tmp_path: Path) -> None:
    for n in range(10):
        save(tmp_path / f"few-{n % 2}" / f"{n}.png", photo(66, 80, seed=n))
    folders = [tmp_path / "few-0", tmp_path / "few-1"]
    once, again = (load_groups(folders, folders, [], 64) for _ in range(2))
    assert (len(once.photos), len(once.held_back)) == (9, 1)
    np.testing.assert_array_equal(once.held_back[0], again.held_back[0])


def test_photos_that_show_what_a_held_back_pair_shows_are_not_learned_from(tmp_path: Path) -> None:
    """Under other names and in another grading they would give away what is measured by."""
    numbers = np.random.default_rng(0)
    for n in range(30):
        scene = np.kron(numbers.integers(40, 250, (4, 5, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        save(tmp_path / "input" / f"{n}.png", scene // 2)
        save(tmp_path / "target" / f"{n}.png", scene)
        save(tmp_path / "others" / f"photo-{n}.png", (scene * 0.8 + 10).astype(np.uint8))
        save(tmp_path / "input" / f"copy-{n}.png", scene // 3)
        save(tmp_path / "target" / f"copy-{n}.png", scene)
    data = load_pairs(tmp_path, [tmp_path / "others"], [tmp_path / "others"], 64)

    def numbers_of(photos: Sequence[Pair]) -> set[str]:
        return {pair.name.split("-")[-1] for pair in photos}

    held = numbers_of([*data.held_back, *data.held_back_identity])
    assert len(data.held_back) >= 2 and data.held_back_identity
    for photos in (data.pairs, data.identity, data.restore):
        assert numbers_of(photos) == {str(n) for n in range(30)} - held


def test_of_a_series_of_one_composition_all_are_learned_from(tmp_path: Path) -> None:
    """A product on white, a sitter before a screen: they look alike, and are not left out for it."""
    for n in range(12):
        scene = photo(66, 80, seed=1) // 2 + n
        save(tmp_path / "input" / f"{n}.png", scene // 2)
        save(tmp_path / "target" / f"{n}.png", scene)
    data = load_pairs(tmp_path, [], [], 64)
    assert len(data.held_back) and len(data.pairs) + len(data.held_back) == 12


def test_of_a_few_photos_none_has_to_be_held_back(tmp_path: Path) -> None:
    save(tmp_path / "a.png", photo(60, 90))
    photos = load_photos(tmp_path, 60)
    assert split(photos) == (photos, [])
    assert len(split(photos * 8)[1]) == 1
