"""Runs of training that are stopped, early or late, and what a run tells meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, call

import pytest

from lptn_cli.errors import StartError, StoppedError
from lptn_cli.preset import read
from lptn_cli.training import making, report, run
from lptn_cli.training.data import load_pairs
from tests.command import LPTN as COMMAND
from tests.command import on_linux
from tests.command import run as lptn
from tests.conftest import make_preset
from tests.training_runs import Listener, train


def test_a_run_that_is_stopped_when_it_has_hardly_begun_takes_no_presets_place(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = make_preset(tmp_path / "presets", "mine")
    with pytest.raises(
        StoppedError, match=r"is left as it was, what was .*work; go on with --resume --overwrite"
    ):
        train(pairs, tmp_path, Listener(stop_after=2), overwrite=True)
    assert read(good.path).sha256 == good.sha256
    monkeypatch.setattr(making, "CHECKPOINT_SECONDS", 0)  # as if it had gone on for longer
    made = train(pairs, tmp_path, Listener(stop_after=1), resume=True, overwrite=True)
    assert made.sha256 != good.sha256


@pytest.mark.parametrize("begun", [False, True])
def test_a_resumed_run_that_is_stopped_at_once_makes_no_other_preset_its_own(
    pairs: Path, tmp_path: Path, begun: bool
) -> None:
    train(pairs, tmp_path, Listener(stop_after=1))
    other = make_preset(tmp_path / "presets", "mine")

    class Stopped(Listener):
        def note(self, text: str) -> None:
            super().note(text)
            self.stop.asked |= text.startswith("training on") and not begun

    with pytest.raises(StoppedError, match="is left as it was"):
        train(pairs, tmp_path, Stopped(stop_after=1), resume=True, overwrite=True)
    assert read(other.path).sha256 == other.sha256


def test_a_young_run_goes_on_with_its_own_preset(pairs: Path, tmp_path: Path) -> None:
    first = train(pairs, tmp_path, Listener(stop_after=1))
    again = train(pairs, tmp_path, Listener(stop_after=1), resume=True, overwrite=True)
    assert again.sha256 != first.sha256


def test_a_stop_before_the_first_step_is_said(pairs: Path, tmp_path: Path) -> None:
    listener = Listener()
    listener.stop.asked = True
    with pytest.raises(StartError, match="before the first step"):
        train(pairs, tmp_path, listener)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("interval", [0, 1000])
def test_how_far_it_is_is_told_now_and_then(
    interval: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "LINE_INTERVAL", interval)
    with report.Busy() as telling:
        telling.busy("reading the photos, 3 so far")
    assert capsys.readouterr().err == ("" if interval else "lptn: reading the photos, 3 so far\n")


def test_how_far_it_is_is_told_on_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = MagicMock()
    monkeypatch.setattr(report, "can_draw", lambda: True)
    monkeypatch.setattr(report, "Bar", lambda: shown)
    with report.Busy() as telling:
        telling.busy("reading the photos, 3 so far")
    assert shown.method_calls == [
        call.start(None),
        call.update(0, "reading the photos, 3 so far"),
        call.close(),
    ]


def test_a_stop_is_obeyed_while_the_guide_is_followed(pairs: Path, tmp_path: Path) -> None:
    class Impatient(Listener):
        def busy(self, text: str) -> None:
            super().busy(text)
            self.stop.asked = text.startswith("following the guide, 2 of")

    listener = Impatient()
    with pytest.raises(StoppedError, match="before the first step"):
        run.train(
            "mine", partial(run.groups, [pairs / "input"], [pairs / "target"], [], "night", None, False),
            minutes=1, resume=False, native_scale=64, levels=4, device="cpu", seed=0, work=tmp_path / "work",
            to=tmp_path, overwrite=False, said={}, report=listener, stop=listener.stop,
        )  # fmt: skip
    assert listener.heard[0] == "reading the photos, 1 so far"
    assert listener.heard[-1].startswith("following the guide, 2 of")


def test_ctrl_c_while_photos_load_has_its_own_exit_code(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = load_pairs

    def interrupted(*given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return load(*given)

    monkeypatch.setattr(run, "load_pairs", interrupted)
    words = ("--pairs", pairs, "--native-scale", 64, "--levels", 4, "--work", tmp_path / "w", "-o", tmp_path)
    done = lptn("train", "mine", *words, "-d", "cpu")
    assert done.code == 130
    assert "stopped before the first step; nothing was written" in done.stderr
    assert "training on" not in done.stderr  # the photos that were left are not read
    assert not (tmp_path / "mine.toml").exists()
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("there_is_one", [False, True])
def test_a_reader_of_json_that_goes_away_stops_the_run_and_loses_nothing(
    pairs: Path, tmp_path: Path, there_is_one: bool
) -> None:
    work, presets = tmp_path / "w", tmp_path / "p"
    words = ["--pairs", pairs, "--native-scale", 64, "--levels", 4, "--work", work, "-o", presets]
    if there_is_one:
        make_preset(presets, "mine")
        words.append("--overwrite")
    command = [COMMAND, "train", "mine", *map(str, words), "-d", "cpu", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        assert json.loads(process.stdout.readline())["step"] == 1
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 141
    assert (work / "checkpoint.pt").exists()
    if there_is_one:
        assert (
            "is left as it was" in errors
            and read(presets / "mine.toml").description == "a small look for tests"
        )
        return
    assert f"lptn retouch photos/ -p {presets / 'mine.toml'}" in errors


@on_linux
def test_a_full_disk_of_stdout_stops_the_run_and_loses_nothing(pairs: Path, tmp_path: Path) -> None:
    words = ["--pairs", pairs, "--native-scale", 64, "--levels", 4, "--work", tmp_path / "w", "-o", tmp_path]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, "train", "mine", *map(str, words), "-d", "cpu", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 4
    assert "cannot write to stdout: the disk is full" in done.stderr
    assert (tmp_path / "mine.toml").exists()


@on_linux
def test_nobody_who_reads_stderr_is_needed(pairs: Path, tmp_path: Path) -> None:
    words = ["--pairs", pairs, "--native-scale", 64, "--levels", 4, "--work", tmp_path / "w", "-o", tmp_path]
    command = [COMMAND, "train", "mine", *map(str, words), "-d", "cpu", "--minutes", "0.02"]
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(command, stderr=full, check=False).returncode == 0
    assert (tmp_path / "mine.toml").exists()
