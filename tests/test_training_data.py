"""What training learns from: photos, batches, other renderings, what is wanted of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lptn_cli.training.batches import GroupBatches, pair_batch, some_without_colour
from lptn_cli.training.data import GroupData, load_pairs
from lptn_cli.training.guides import night
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.reading import Pair, each_pair, each_photo, pixels_of, tensor
from lptn_cli.training.renderings import unedited, varied
from lptn_cli.training.unpaired import UnpairedObjective
from tests.command import on_linux, save
from tests.conftest import photo

CPU = torch.device("cpu")


def test_batches_are_reproducible_and_keep_pairs_together(pairs: Path) -> None:
    data = load_pairs(pairs, [], [], 64)
    draws = [pair_batch([(data.pairs, 1.0)], torch.Generator().manual_seed(5), 4) for _ in range(2)]
    assert torch.equal(draws[0][0], draws[1][0])
    inputs, targets, _ = draws[0]
    assert inputs.shape == targets.shape
    gain = (targets.mean((0, 2, 3)) / inputs.mean((0, 2, 3))).numpy()
    np.testing.assert_allclose(gain, [1.6, 1.5, 1.3], rtol=0.05)


def test_sources_are_drawn_by_their_shares_and_told_apart(pairs: Path) -> None:
    data = load_pairs(pairs, [], [], 64)
    sources = [(data.pairs, 1.0), ([], 0.5), (data.pairs, 0.25)]
    generator = torch.Generator().manual_seed(1)
    numbers = torch.cat([pair_batch(sources, generator)[2] for _ in range(60)])
    assert set(numbers.tolist()) == {0, 2}
    assert float((numbers == 2).float().mean()) == pytest.approx(0.25, abs=0.06)


def test_an_unedited_rendering_is_darker_flatter_and_paler_and_a_varied_one_is_near() -> None:
    photos = torch.from_numpy(np.stack([photo(48, 64, seed=n) for n in range(16)])).permute(0, 3, 1, 2) / 255
    raw, near = (make(photos, torch.Generator().manual_seed(2)) for make in (unedited, varied))
    for made in (raw, near):
        assert made.shape == photos.shape
        assert 0 <= float(made.min()) <= float(made.max()) <= 1
    assert 0.4 < float(raw.mean() / photos.mean()) < 0.85
    assert float(raw.std((1, 2, 3)).mean()) < 0.8 * float(photos.std((1, 2, 3)).mean())
    assert 0.01 < float((near - photos).abs().mean()) < 0.08
    assert float(varied(photos, torch.Generator(), 0).sub(photos).abs().max()) < 1e-5


def test_inputs_vary_only_while_pairs_are_few(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_pairs(pairs, [], [], 64)
    monkeypatch.setattr("lptn_cli.training.batches.GREY_SHARE", 0)
    for few, varies in ((len(data.pairs), False), (len(data.pairs) + 1, True)):
        monkeypatch.setattr("lptn_cli.training.pairs.FEW", few)
        shown, _ = PairObjective(data, CPU).batch(torch.Generator().manual_seed(0))
        whole_levels = (255 * shown - (255 * shown).round()).abs().max() < 1e-3
        assert bool(whole_levels) != varies


def test_black_and_white_stays_so() -> None:
    colour = torch.rand(400, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    inputs, targets = some_without_colour(colour, colour.flip(1), torch.Generator().manual_seed(1))
    grey = (inputs == inputs[:, :1]).flatten(1).all(1)
    assert 4 <= int(grey.sum()) <= 40
    assert torch.equal(grey, (targets == targets[:, :1]).flatten(1).all(1))
    assert torch.equal(inputs[~grey], colour[~grey])


def test_undoing_a_look_wants_the_targets_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown is the look to be undone, and the nearer to the photos it was given to, the better."""
    photos = [photo(96, 128, seed=n) for n in range(8)]
    objective = UnpairedObjective(GroupData(photos, photos, photos[:1], []), CPU, None, night)
    pairs = zip(objective.undone, photos, strict=True)
    assert all(np.array_equal(pair.target, pixels) for pair, pixels in pairs)
    monkeypatch.setattr("lptn_cli.training.unpaired.UNDO_SHARE", 1.0)
    shown: list[torch.Tensor] = []

    def times(factor: float) -> float:
        def network(images: torch.Tensor) -> torch.Tensor:
            shown.append(images)
            return factor * images

        return float(objective.loss(network, torch.Generator().manual_seed(2)))

    assert times(2.5) < 0.8 * times(1)
    assert float(shown[0].mean()) < 0.6 * np.stack(photos).mean() / 255


def test_batches_of_photos_to_leave_alone_want_the_photo_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [photo(96, 128, seed=n) for n in range(8)]
    alone = [Pair(str(n), pixels, pixels) for n, pixels in enumerate(photos)]
    objective = UnpairedObjective(
        GroupData(photos, photos, photos[:1], [], alone), torch.device("cpu"), night
    )
    monkeypatch.setattr("lptn_cli.training.unpaired.IDENTITY_SHARE", 1.0)
    generator = torch.Generator().manual_seed(0)
    assert float(objective.loss(lambda image: image, generator)) == 0
    assert float(objective.loss(lambda image: image / 2, generator)) > 1
    monkeypatch.setattr("lptn_cli.training.unpaired.IDENTITY_SHARE", 0.0)
    assert float(objective.loss(lambda image: image, generator)) > 1  # now the guide's night is wanted


def test_without_pairs_windows_are_of_any_size_and_what_is_wanted_goes_along() -> None:
    ramp = np.broadcast_to(np.linspace(20, 230, 80, dtype=np.uint8)[:, None], (60, 80, 3)).copy()
    batches = GroupBatches([ramp], [ramp], [255 - ramp])
    shown, wanted, _ = batches.draw(torch.Generator().manual_seed(3))
    assert torch.allclose(shown + wanted, torch.ones(()), atol=2 / 255)
    slopes = (shown[:, 0, 0, -1] - shown[:, 0, 0, 0]).abs()  # the part of the ramp that each window shows
    assert slopes.max() > 1.2 * slopes.min()


def test_every_photo_has_partners_of_its_orientation() -> None:
    wide, tall = ([photo(*size, seed=n) for n in range(60)] for size in ((32, 48), (48, 32)))
    data = GroupData([*wide[:5], *tall[:2]], [*wide, tall[0]], wide[:1], [])
    partners = GroupBatches(data.photos, data.targets).partners
    assert [len(row) for row in partners] == [40] * 5 + [1] * 2
    assert all((row < 60).all() for row in partners[:5])
    assert all((row == 60).all() for row in partners[5:])


def test_few_photos_are_made_more_with_a_guide_and_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [photo(48, 64, seed=n) for n in range(8)]
    data = GroupData(photos, photos, photos[:1], [])
    guided = UnpairedObjective(data, CPU, night).batches
    assert len(guided.photos) == len(guided.wanted) == 32
    other = guided.photos[8].astype(int) - guided.photos[0]  # of the first one, otherwise exposed
    assert 2 < np.abs(other).mean() < 60
    wanted = pixels_of(night(tensor(guided.photos[8][None])))
    assert np.array_equal(guided.wanted[8], wanted)
    assert len(UnpairedObjective(data, CPU).batches.photos) == 8
    kept = replace(data, identity=[Pair("", photos[0], photos[0])])
    assert len(UnpairedObjective(kept, CPU, night).batches.photos) == 32
    monkeypatch.setattr("lptn_cli.training.unpaired.FEW", 8)
    assert len(UnpairedObjective(data, CPU, night).batches.photos) == 8


def sides(folder: Path, **of_input: np.ndarray) -> Path:
    """The same photos as target/NAME.png, 60x90 each."""
    for name, pixels in of_input.items():
        save(folder / "input" / f"{name}.png", pixels)
        save(folder / "target" / f"{name}.png", photo(60, 90))
    return folder


def test_a_side_that_was_exported_smaller_is_no_reason_to_leave_a_pair_out(tmp_path: Path) -> None:
    large, odd = (cv2.resize(photo(60, 90), (180, height)) for height in (120, 121))
    both = sides(tmp_path, large=large, odd=odd, cut=photo(60, 80))
    skipped: list[str] = []
    pairs = list(each_pair(both, 1000, skipped.append, least=16))
    assert [pair.name for pair in pairs] == ["large", "odd"]
    assert all(pair.input.shape == pair.target.shape == (60, 90, 3) for pair in pairs)
    assert skipped == [f"{tmp_path / 'cut'}: input and target have different shapes"]


def test_pairs_that_do_not_show_the_same_are_named_and_left_out(tmp_path: Path) -> None:
    """A counter's name used twice, a target that was cropped. Nothing is wrong with any change of light, or
    with a flat photo."""
    shot, flat = photo(300, 450), np.full((300, 450, 3), 128, np.uint8)
    cut = cv2.resize(shot[15:285, 22:428], (450, 300), interpolation=cv2.INTER_AREA)
    dark, negative = shot // 8, 255 - shot
    targets = {
        "other": shot[:, ::-1],
        "cut": cut,
        "dark": dark,
        "negative": negative,
        "flat": flat,
        "same": shot,
    }
    for name, target in targets.items():
        save(tmp_path / "input" / f"{name}.png", flat if name == "flat" else shot)
        save(tmp_path / "target" / f"{name}.png", target)
    skipped: list[str] = []
    pairs = list(each_pair(tmp_path, 256, skipped.append))
    assert [pair.name for pair in pairs] == ["dark", "flat", "negative", "same"]
    assert [line.partition(":")[0] for line in skipped] == [str(tmp_path / "cut"), str(tmp_path / "other")]
    assert all("do not show the same" in line for line in skipped)


def test_of_two_files_of_one_name_the_first_is_used_and_the_other_named(tmp_path: Path) -> None:
    both = sides(tmp_path, a=photo(60, 90))
    save(both / "input" / "a.jpg", photo(60, 90) // 2)
    skipped: list[str] = []
    (pair,) = each_pair(both, 60, skipped.append)
    assert pair.name == "a" and pair.input.mean() < 0.6 * pair.target.mean()
    assert len(skipped) == 1 and "input/a: is there twice" in skipped[0]


def test_folders_are_walked_and_pairs_meet_by_their_path(tmp_path: Path) -> None:
    for side in ("input", "target"):
        for folder in ("monday", "tuesday"):
            save(tmp_path / side / folder / "IMG_1.png", photo(60, 90))
    skipped: list[str] = []
    pairs = list(each_pair(tmp_path, 60, skipped.append))
    assert [pair.name for pair in pairs] == ["monday/IMG_1", "tuesday/IMG_1"]
    assert not skipped


@on_linux
def test_what_is_no_photo_is_named_and_hangs_nothing(tmp_path: Path) -> None:
    save(tmp_path / "good.png", photo(60, 90))
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "red\x1b[31m.jpg").write_bytes(b"no photo")
    save(tmp_path / "tiny.png", photo(12, 90))
    skipped: list[str] = []
    assert [named.name for named in each_photo(tmp_path, 100, skipped.append, least=16)] == ["good"]
    assert len(skipped) == 4
    told = ["pipe.jpg: is not a regular", r"red\x1b[31m.jpg: ", "under 16 pixels", "gone.jpg: it is a link"]
    assert all(said in line for line, said in zip(skipped, told, strict=True))


def test_a_photo_of_too_many_pixels_is_named_without_the_options_of_retouch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a.png", photo(60, 90))
    monkeypatch.setattr("lptn_cli.training.reading.MAX_PIXELS", 5000)
    skipped: list[str] = []
    assert not list(each_photo(tmp_path, 16, skipped.append))
    assert "megapixels" in skipped[0] and "--" not in skipped[0]
