"""Runs of training that meet something: other runs, full disks, a stop, options that do not fit."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lptn_cli.discover import discover
from lptn_cli.errors import OutputError, UsageError, WriteError
from lptn_cli.preset import Preset
from lptn_cli.signals import Stop
from lptn_cli.training import run
from lptn_cli.training.data import load_pairs
from tests.command import run as lptn
from tests.command import save
from tests.conftest import make_preset, photo
from tests.training_runs import Listener, train


def test_a_run_that_begins_anew_has_a_log_of_its_own(pairs: Path, tmp_path: Path) -> None:
    for _ in range(2):
        train(pairs, tmp_path, Listener(stop_after=3))
        (tmp_path / "work" / "checkpoint.pt").unlink()
        shutil.rmtree(tmp_path / "presets")
    lines = (tmp_path / "work" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines if "measured" not in line] == [1, 2, 3]


def test_what_of_the_notebook_cannot_be_written_is_told_once_and_the_run_goes_on(
    pairs: Path, tmp_path: Path
) -> None:
    for names in (["log.jsonl"], ["losses.svg", "sheet.png"]):
        for name in names:
            (tmp_path / str(len(names)) / "work" / name).mkdir(parents=True)
        listener = Listener(stop_after=3)
        assert train(pairs, tmp_path / str(len(names)), listener).path.exists()
        told = sorted(note for note in listener.notes if "cannot write" in note)
        assert len(told) == len(names)
        assert all(f"{name}: a folder of that name" in note for name, note in zip(names, told, strict=True))


@pytest.mark.parametrize("place", ["work", "presets"])
def test_a_place_that_cannot_be_written_is_said_before_the_photos_are_read(
    place: str, pairs: Path, tmp_path: Path
) -> None:
    (tmp_path / place).write_bytes(b"")  # root may write everywhere: a file is in the way
    listener = Listener()
    with pytest.raises(OutputError, match=rf"the folder .*{place} of -.*: .*; choose another"):
        train(pairs, tmp_path, listener)
    assert not listener.notes


def test_a_checkpoint_that_cannot_be_written_is_named(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: Any, **__: Any) -> None:
        raise WriteError("the disk is full; free some space and run again")

    monkeypatch.setattr("lptn_cli.training.loop.write_atomic", full)
    with pytest.raises(OutputError, match=r"cannot write .*checkpoint\.pt: the disk is full"):
        train(pairs, tmp_path, Listener(stop_after=1))


def test_a_folder_of_its_own_is_marked_so_that_its_contact_sheet_is_no_photo(
    pairs: Path, tmp_path: Path
) -> None:
    save(tmp_path / "mine" / "a.png", photo(80, 90))
    save(tmp_path / "used" / "work" / "b.png", photo(80, 90))
    for folder in ("mine", "used"):
        train(pairs, tmp_path / folder, Listener(stop_after=1))
        assert (tmp_path / folder / "work" / "sheet.png").is_file()
    found = {str(one.relative) for one in discover([tmp_path])}
    assert {"mine/a.png", "used/work/b.png"} <= found
    assert "mine/work/sheet.png" not in found


def test_too_few_pairs_is_said(pairs: Path, tmp_path: Path) -> None:
    for part in ("input", "target"):
        (tmp_path / part).mkdir()
    with pytest.raises(UsageError, match="0 usable pairs"):
        load_pairs(tmp_path, [], [], 64)
    with pytest.raises(UsageError, match="no folder"):
        load_pairs(tmp_path / "none", [], [], 64)
    with pytest.raises(UsageError, match="usable pairs"):
        load_pairs(pairs, [], [], 640)


def test_a_name_that_is_taken_or_cannot_be_used_is_said_before_training(pairs: Path, tmp_path: Path) -> None:

    def start(name: str, *, overwrite: bool) -> Preset:
        return run.train(
            name, partial(run.pairs, pairs, [], []), minutes=0.001, resume=False, native_scale=64, levels=4,
            device="cpu", seed=0, work=tmp_path / f"work-{overwrite}", to=tmp_path, overwrite=overwrite,
            said={}, report=Listener(), stop=Stop(),
        )  # fmt: skip

    taken = make_preset(tmp_path, "mine")
    before = taken.weights.read_bytes()
    with pytest.raises(UsageError, match="mine exists"):
        start("mine", overwrite=False)
    with pytest.raises(UsageError, match="cannot name a preset"):
        start("my look", overwrite=False)
    assert taken.weights.read_bytes() == before
    assert start("mine", overwrite=True).keeps_grey
    assert taken.weights.read_bytes() != before


def test_a_second_run_takes_nothing_from_one_that_still_reads(pairs: Path, tmp_path: Path) -> None:
    class Busy(Listener):
        def busy(self, text: str) -> None:
            super().busy(text)
            with pytest.raises(UsageError, match="another lptn train is at work"):
                train(pairs, tmp_path, Listener())
            assert (tmp_path / "work").is_dir()

    listener = Busy(stop_after=1)
    train(pairs, tmp_path, listener)
    assert not [note for note in listener.notes if "cannot write" in note]


def test_folders_that_nothing_came_into_go_again_but_not_those_of_others(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs" / "work").mkdir(parents=True)
    for place in ("deep/inside", "theirs"):
        with pytest.raises(UsageError, match="no folder"):
            train(pairs / "nowhere", tmp_path / place, Listener())
    assert not (tmp_path / "deep" / "inside" / "work").exists()
    assert (tmp_path / "theirs" / "work").is_dir()


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("--from", "a", "--to", "x/../a"), "as --from and as --to"),
        (("--pairs", "s3://bucket/x"), "an address; give a folder"),
        (("--pairs", "a"), "a has no folder input/; pairs lie in input/ and target/"),
    ],
)
def test_folders_that_teach_nothing_are_refused(
    words: tuple[str, ...], remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "x"):
        (tmp_path / folder).mkdir()
    said = lptn("train", "mine", *words, "-o", tmp_path / "p", "--work", tmp_path / "w")
    assert (said.code, remedy in said.stderr) == (2, True)


def test_a_preset_to_begin_with_that_is_not_there_is_said_before_photos_are_read(
    pairs: Path, tmp_path: Path
) -> None:
    done = lptn(
        "train", "mine", "--pairs", pairs, "--start", "nope", "--work", tmp_path / "w", "-o", tmp_path
    )
    assert done.code == 2
    assert "nope" in done.error and "reading" not in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give either --pairs"),
        (["--pairs", "a", "--from", "b", "--to", "c"], "give either --pairs"),
        (["--from", "a"], "give either --pairs"),
        (["--pairs", "a", "--guide", "night"], "are for --from and --to"),
        (["--pairs", "a", "--undo", "night"], "are for --from and --to"),
        (["--pairs", "a", "--losses", "published"], "are for --from and --to"),
        (["--from", "a", "--to", "b", "--restore", "c"], "is for --pairs"),
        (
            ["--from", "a", "--to", "b", "--identity", "c", "--losses", "published"],
            "know no photos to leave alone",
        ),
        (["--from", "a", "--to", "b", "--guide", "night", "--losses", "published"], "know no guide"),
        (["--from", "a", "--to", "b", "--undo", "night", "--losses", "published"], "know no guide"),
        (["--from", "", "--to", "b"], "is empty; is a shell variable unset?"),
        (["--pairs", "a", "-o", ""], "is empty; is a shell variable unset?"),
    ],
)
def test_options_that_do_not_fit_are_said(options: list[str], said: str) -> None:
    done = lptn("train", "mine", *options)
    assert done.code == 2
    assert said in done.error


@pytest.mark.parametrize("minutes", ["nan", "inf"])
def test_minutes_are_a_number(minutes: str) -> None:
    done = lptn("train", "mine", "--pairs", "a", "--minutes", minutes)
    assert done.code == 2
    assert "Invalid value for '--minutes'" in done.stderr


def test_places_that_may_not_be_entered_or_named_so_are_one_line(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    long, words = "x" * 300, ("train", "mine", "--pairs", pairs, "--minutes", "0.01")
    said = lptn("train", long, "--pairs", pairs)
    assert said.code == 2 and "cannot name a preset" in said.error
    said = lptn(*words, "--work", tmp_path / long, "-o", tmp_path)
    assert said.code == 4
    assert "of --work: the name is too long; choose another folder with --work" in said.error
    monkeypatch.setattr(Path, "stat", refuse)  # root may enter everywhere
    monkeypatch.setattr(Path, "mkdir", refuse)
    for folders in (
        ("--work", tmp_path / "w", "-o", tmp_path / "p"),
        ("--work", tmp_path, "-o", tmp_path / "p"),
    ):
        said = lptn(*words, *folders)
        assert said.code == 4 and "permission denied" in said.error
