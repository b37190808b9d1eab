"""Runs of training that cannot come to what is wanted, and what is said of them before photos are read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from lptn_cli.errors import StartError, UsageError
from lptn_cli.photos import OWN_PICTURES
from lptn_cli.preset import Preset
from lptn_cli.training import evaluation, run
from lptn_cli.training.data import LEAST, PairData, load_groups, load_pairs
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.reading import Pair, each_once
from tests.command import run as lptn
from tests.command import save
from tests.conftest import make_preset, photo
from tests.training_runs import Listener, train

CPU = torch.device("cpu")
SEPIA = np.array([1.0, 0.8, 0.6])


def pair(n: int, *, toned: bool, grey: bool = True) -> Pair:
    before = photo(64, 80, seed=n)
    if grey:
        before = np.repeat(before[..., :1], 3, axis=2)
    return Pair(str(n), before, (before * SEPIA).astype(np.uint8) if toned else before)


@pytest.mark.parametrize(
    ("toned", "grey", "coloured", "tones"),
    [
        (9, 0, 0, True),
        (1, 8, 0, True),
        (1, 20, 0, False),
        (0, 9, 0, False),
        (0, 0, 9, False),
        (1, 0, 150, False),
    ],
)
def test_where_grey_photos_get_a_tone_none_is_kept_grey(
    toned: int, grey: int, coloured: int, tones: bool
) -> None:
    pairs = [pair(n, toned=True) for n in range(toned)] + [pair(n, toned=False) for n in range(grey)]
    pairs += [pair(n, toned=True, grey=False) for n in range(coloured)]
    data = PairData(pairs, [], [], [], [], [])
    assert (data.tones, PairObjective(data, CPU).keeps_grey) == (tones, not tones)


def test_noise_is_no_tone() -> None:
    before = pair(0, toned=False).input
    noise = np.random.default_rng(0).integers(-1, 2, before.shape)
    noisy = replace(pair(0, toned=False), target=(before + noise).clip(0, 255).astype(np.uint8))
    assert not PairData([noisy], [], [], [], [], []).tones


def test_a_toning_look_is_shown_no_grey_target_and_its_preset_tones(tmp_path: Path) -> None:
    for n in range(LEAST):
        one = pair(n, toned=True)
        save(tmp_path / "pairs" / "input" / f"{n}.png", one.input)
        save(tmp_path / "pairs" / "target" / f"{n}.png", one.target)
    objective = PairObjective(load_pairs(tmp_path / "pairs", [], [], 64), CPU)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        targets = objective.batch(generator)[1]
        assert float((targets[:, 0] - targets[:, 2]).mean((1, 2)).min()) > 0.02
    assert not train(tmp_path / "pairs", tmp_path, Listener(stop_after=1)).keeps_grey


@pytest.mark.parametrize("missing", ["identity", "restore"])
def test_a_folder_that_is_not_there_is_said_before_pairs_are_read(
    missing: str, pairs: Path, tmp_path: Path
) -> None:
    heard: list[str] = []
    folders = {"identity": [pairs / "target"], "restore": [pairs / "target"], missing: [tmp_path / "none"]}
    with pytest.raises(UsageError, match=r"there is no folder .*none"):
        load_pairs(pairs, folders["identity"], folders["restore"], 64, hear=heard.append)
    assert not heard


@pytest.mark.parametrize("missing", [1, 2])
def test_a_folder_that_is_not_there_is_said_before_photos_are_read(
    missing: int, pairs: Path, tmp_path: Path
) -> None:
    heard: list[str] = []
    folders = [[pairs / "input"], [pairs / "target"], [pairs / "target"]]
    folders[missing] = [tmp_path / "none"]
    with pytest.raises(UsageError, match=r"there is no folder .*none"):
        load_groups(folders[0], folders[1], folders[2], 64, hear=heard.append)
    assert not heard


def test_other_options_than_those_of_the_run_are_said_before_photos_are_read(
    pairs: Path, tmp_path: Path
) -> None:
    train(pairs, tmp_path, Listener(stop_after=1))

    def resume(listener: Listener, levels: int, context: bool | None, *, paired: bool = True) -> None:
        load = partial(run.pairs, pairs, [pairs / "target"], [pairs / "target"])
        if not paired:
            load = partial(run.groups, [pairs / "input"], [pairs / "target"], [], None, None, False)
        run.train(
            "mine", load, minutes=10, resume=True, native_scale=64, levels=levels, device="cpu", seed=1,
            work=tmp_path / "work", to=tmp_path / "presets", overwrite=False, said={}, report=listener,
            stop=listener.stop, context=context,
        )  # fmt: skip

    for levels, context, paired, said in (
        (3, None, True, "with --levels 4"),
        (4, False, True, "--context"),
        (4, None, False, "with --pairs DIR"),
    ):
        listener = Listener()
        with pytest.raises(StartError, match=f"is of a run {said}; resume it so"):
            resume(listener, levels, context, paired=paired)
        assert not listener.heard


def test_a_preset_with_a_context_and_none_wanted_is_said_before_photos_are_read(
    pairs: Path, tmp_path: Path
) -> None:
    preset = make_preset(tmp_path)
    words = ("--pairs", pairs, "--native-scale", 64, "--work", tmp_path / "w", "-o", tmp_path / "p")
    said = lptn("train", "mine", *words, "--start", preset.path, "--no-context")
    assert (said.code, "leave --no-context out" in said.error) == (2, True)
    said = lptn("train", "mine", *words, "--start", preset.path, "--levels", 5)
    assert (said.code, "leave --levels out, or --start" in said.error) == (2, True)


@pytest.mark.parametrize("option", ["--to", "--identity"])
@pytest.mark.parametrize(
    ("ours", "theirs", "remedy"),
    [
        ("a", "x/../a", "is given as --from and as {}; give each photo on one side"),
        ("a", "a/b", "a of --from and a/b of {} lie one in the other; give folders that share no photos"),
        ("a/b", "a", "a/b of --from and a of {} lie one in the other"),
    ],
)
def test_photos_of_two_sides_are_refused(
    option: str, ours: str, theirs: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a/b", "x", "c"):
        (tmp_path / folder).mkdir(parents=True)
    others = ("--to", "c") if option == "--identity" else ()
    said = lptn("train", "mine", "--from", ours, option, theirs, *others)
    assert (said.code, remedy.format(option) in said.error) == (2, True)


def test_a_folder_that_is_not_there_is_one_line(pairs: Path, tmp_path: Path) -> None:
    said = lptn("train", "mine", "--from", pairs / "input", "--to", tmp_path / "none")
    assert (said.code, "there is no folder" in said.error) == (2, True)


def test_photos_of_the_look_may_be_left_alone_too(pairs: Path) -> None:
    data = load_groups([pairs / "input"], [pairs / "target"], [pairs / "target"], 64)
    assert len(data.identity) == len(data.targets)


def test_photos_that_are_given_twice_count_once(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a/b", "a/.c", "a/results", "d"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "a" / "results" / OWN_PICTURES).touch()
    given = [Path(name) for name in ("a/b", "a", "d/../a", "a/.c", "a/results", "d")]
    assert [folder.resolve().name for folder in each_once(given)] == ["a", ".c", "results", "d"]
    once = load_groups([pairs / "input"], [pairs / "target"], [pairs / "target"], 64)
    twice = load_groups([pairs / "input"] * 2, [pairs / "target"] * 2, [pairs / "target"] * 2, 64)
    for side in ("photos", "targets", "identity", "held_back"):
        assert len(getattr(once, side)) == len(getattr(twice, side))
    with_all = load_pairs(pairs, [pairs, pairs / "target"], [], 64)
    assert len(with_all.identity) == len(load_pairs(pairs, [pairs], [], 64).identity)


def test_a_folder_without_a_usable_photo_is_refused(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    bad = tmp_path / "bad" / "a.jpg"
    bad.parent.mkdir()
    bad.write_bytes(b"\xff\xd8\xff but no more")
    for folder, said in (("none", "none; give another folder"), ("bad", r"1 cannot be used.*a\.jpg")):
        empty, target = [tmp_path / folder], [pairs / "target"]
        for identity, restore in ((empty, target), (target, empty)):
            with pytest.raises(UsageError, match=f"no usable photos in .*{said}"):
                load_pairs(pairs, identity, restore, 64)
        with pytest.raises(UsageError, match=f"no usable photos in .*{said}"):
            load_groups([pairs / "input"], target, empty, 64)


@pytest.mark.parametrize("ending", ["toml", "safetensors"])
def test_a_preset_is_not_named_like_a_file(ending: str, pairs: Path, tmp_path: Path) -> None:
    said = lptn("train", f"foo.{ending}", "--pairs", pairs, "--work", tmp_path / "w", "-o", tmp_path)
    assert (said.code, "not ending in .toml or .safetensors" in said.error) == (2, True)


def test_pairs_that_training_does_not_hold_back_are_said(preset: Preset, tmp_path: Path) -> None:
    for side in ("input", "target"):
        save(tmp_path / "few" / side / "a.png", photo(70, 80))
    for n in range(LEAST):
        save(tmp_path / "many" / f"{n}.png", photo(70, 80, seed=n))
    notes: list[str] = []
    figures = evaluation.evaluate(
        str(preset.path), [tmp_path / "many"], tmp_path / "few", held_back=True, device="cpu",
        note=notes.append,
    )  # fmt: skip
    assert list(figures) == ["photos"]
    (note,) = notes
    assert "holds back none of the pairs of" in note and str(tmp_path / "few") in note


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_is_resumed_with_its_options_given_again(resume: bool) -> None:
    said = lptn("train", "mine", *(["--resume"] if resume else []))
    assert said.code == 2 and "give either --pairs DIR" in said.error
    assert ("--resume wants the options of the run again" in said.error) == resume
