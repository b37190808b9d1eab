"""Runs of training that are gone on with, and what they must not take for theirs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from lptn_cli import Retoucher
from lptn_cli.branches import Variant
from lptn_cli.errors import StartError, UsageError
from lptn_cli.network import LPTN
from lptn_cli.preset import read
from lptn_cli.training import making, run
from lptn_cli.training.data import load_pairs
from lptn_cli.training.loop import Step, Trainer, network_of, read_state, require_like
from lptn_cli.training.notebook import FILES
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.run import OWN
from tests.conftest import make_preset, photo
from tests.training_runs import Listener, train

CPU = torch.device("cpu")


def test_resuming_a_run_whose_minutes_are_used_up_writes_the_preset_and_says_so(
    pairs: Path, tmp_path: Path
) -> None:
    train(pairs, tmp_path, Listener(stop_after=2))
    preset = tmp_path / "presets" / "mine.toml"
    preset.unlink()
    again = Listener()
    made = train(pairs, tmp_path, again, resume=True, minutes=1e-9)
    assert made.path == preset and preset.exists()
    assert "give more --minutes" in again.notes[-1]
    assert not again.steps


def test_an_earlier_run_is_not_thrown_away(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "checkpoint.pt").write_bytes(b"something")
    with pytest.raises(UsageError, match="--resume"):
        train(pairs, tmp_path, Listener())
    with pytest.raises(StartError, match="cannot resume"):
        train(pairs, tmp_path, Listener(), resume=True)
    (tmp_path / "work" / "checkpoint.pt").unlink()
    with pytest.raises(StartError, match="to resume"):
        train(pairs, tmp_path, Listener(), resume=True)


@pytest.mark.parametrize("damage", ["empty", "cut", "no averaged", "averaged", "step", "generator"])
def test_a_damaged_checkpoint_is_named_with_a_remedy(pairs: Path, tmp_path: Path, damage: str) -> None:
    train(pairs, tmp_path, Listener(stop_after=1))
    checkpoint = tmp_path / "work" / "checkpoint.pt"
    if damage in ("empty", "cut"):
        data = checkpoint.read_bytes()
        checkpoint.write_bytes(data[: len(data) // 2] if damage == "cut" else b"")
    else:
        state = torch.load(checkpoint, weights_only=True)
        changed = {"averaged": {}, "step": "many", "generator": 3}
        state |= {damage: changed[damage]} if damage in changed else {}
        if damage == "no averaged":
            del state["averaged"]
        torch.save(state, checkpoint)
    listener = Listener()
    with pytest.raises(StartError, match="is damaged, or no checkpoint of lptn train; begin anew") as caught:
        train(pairs, tmp_path, listener, resume=True)
    assert not listener.heard or damage not in ("empty", "cut")  # said before all photos are read
    assert str(checkpoint) in str(caught.value) and "weights_only" not in str(caught.value)


def test_the_files_of_others_in_a_work_folder_are_kept(pairs: Path, tmp_path: Path) -> None:
    for name in FILES:
        theirs = tmp_path / name.replace(".", "-") / "work" / name
        theirs.parent.mkdir(parents=True)
        theirs.write_bytes(b"mine")
        with pytest.raises(UsageError, match=rf"{name} would be replaced.*--work"):
            train(pairs, theirs.parent.parent, Listener())
        assert theirs.read_bytes() == b"mine"
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "letter.txt").write_bytes(b"mine")
    train(pairs, tmp_path, Listener(stop_after=1))
    assert train(pairs, tmp_path, Listener(stop_after=1), resume=True).path.exists()


def test_what_a_killed_run_leaves_is_swept_and_told_once(pairs: Path, tmp_path: Path) -> None:
    train(pairs, tmp_path, Listener(stop_after=2))
    log = tmp_path / "work" / "log.jsonl"
    log.write_text(log.read_text() + '{"step": 3, "seconds": 0.4, "loss": 1.0}\n{"step": 4, "sec')
    name = f".lptn-{'0' * 8}-{2**22 + 1}-{'0' * 16}.part"
    gone = [tmp_path / place / name for place in ("work", "presets")]
    for part in gone:
        part.write_bytes(b"half")
        os.utime(part, (0, 0))
    train(pairs, tmp_path, Listener(stop_after=2), resume=True)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2, 2, 3, 4, 4]
    assert not any(part.exists() for part in gone)


def test_a_preset_that_came_meanwhile_is_kept_and_so_is_what_was_learned(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Listener):
        def note(self, text: str) -> None:
            super().note(text)
            if text == "reading the photos":
                make_preset(tmp_path / "presets", "mine")

    with pytest.raises(UsageError, match="choose another name or give --overwrite"):
        train(pairs, tmp_path, Slow(stop_after=1))
    theirs = read(tmp_path / "presets" / "mine.toml")
    assert (tmp_path / "work" / "checkpoint.pt").exists()
    monkeypatch.setattr(making, "CHECKPOINT_SECONDS", 0)
    made = train(pairs, tmp_path, Listener(stop_after=1), resume=True, overwrite=True)
    assert made.sha256 != theirs.sha256


def test_two_runs_do_not_work_in_one_folder(pairs: Path, tmp_path: Path) -> None:
    class Second(Listener):
        def step(self, step: Step) -> None:
            super().step(step)
            with pytest.raises(UsageError, match=r"another lptn train is at work.* --work"):
                train(pairs, tmp_path, Listener(), resume=True)

    train(pairs, tmp_path, Second(stop_after=1))
    train(pairs, tmp_path, Listener(stop_after=1), resume=True)  # the folder is free again


def test_a_resumed_run_keeps_what_was_said_of_its_preset(pairs: Path, tmp_path: Path) -> None:
    train(pairs, tmp_path, Listener(stop_after=1))
    assert (
        train(pairs, tmp_path, Listener(stop_after=1), resume=True, description="").description == "brighter"
    )
    made = train(pairs, tmp_path, Listener(stop_after=1), resume=True, description="warmer")
    assert made.description == "warmer"
    made.path.write_text(made.path.read_text() + "strength = 0.7\n")
    assert train(pairs, tmp_path, Listener(stop_after=1), resume=True, description="").strength == 0.7
    made.path.unlink()
    again = train(pairs, tmp_path, Listener(stop_after=1), resume=True, description="")
    assert (again.description, again.strength) == ("warmer", 0.7)
    again.path.write_text(again.path.read_text().replace("strength = 0.7\n", ""))
    assert train(pairs, tmp_path, Listener(stop_after=1), resume=True, description="").strength == 1


def test_a_resumed_run_replaces_no_other_preset_of_its_name(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "CHECKPOINT_SECONDS", 0)
    train(pairs, tmp_path, Listener(stop_after=1))
    other = make_preset(tmp_path / "presets", "mine")
    with pytest.raises(UsageError, match="is not of the run that is to be resumed; give its folder with -o"):
        train(pairs, tmp_path, Listener(stop_after=1), resume=True)
    assert read(other.path).sha256 == other.sha256
    made = train(pairs, tmp_path, Listener(stop_after=1), resume=True, overwrite=True, description="")
    assert (made.description, made.sha256 == other.sha256) == ("brighter", False)


@pytest.mark.parametrize("lost", ["old weights", "toml", "weights of the next checkpoint"])
def test_a_run_that_was_killed_while_it_wrote_its_preset_can_be_resumed(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    made = train(pairs, tmp_path, Listener(stop_after=1))
    toml, weights = made.path.read_bytes(), made.weights.read_bytes()
    train(pairs, tmp_path, Listener(stop_after=2), resume=True)
    if lost == "toml":
        made.path.unlink()
    elif lost == "old weights":  # the disk of the presets was full
        made.path.write_bytes(toml)
        made.weights.write_bytes(weights)
    else:  # the TOML still is the older one
        made.path.write_bytes(toml)
    again = train(pairs, tmp_path, Listener(stop_after=1), resume=True, description="")
    assert again.description == "brighter"
    assert Retoucher(again, "cpu")(photo(80, 90)).shape == (80, 90, 3)


def a_run(pairs: Path, variant: Variant = OWN, *, context: bool = False) -> Trainer:
    network = LPTN(nrb_low=1, nrb_high=1, num_high=3, variant=variant, context=context)
    return Trainer(network, PairObjective(load_pairs(pairs, [], [], 64), CPU), CPU)


def test_a_run_with_a_context_is_not_resumed_without(pairs: Path, tmp_path: Path) -> None:
    for context, option in ((False, "--no-context"), (True, "--context")):
        state = a_run(pairs, context=context).state()
        with pytest.raises(StartError, match=rf"other\.pt is of a run {option}; resume it so"):
            require_like(tmp_path / "other.pt", state, {}, context=not context)
        require_like(tmp_path / "other.pt", state, {}, context=None)


def test_a_run_of_an_earlier_lptn_is_not_resumed(pairs: Path, tmp_path: Path) -> None:
    earlier = {**a_run(pairs).state(), "optimizer": {"state": {}, "param_groups": []}}
    torch.save(earlier, tmp_path / "old.pt")
    with pytest.raises(StartError, match=r"old\.pt is of an earlier lptn.*begin anew"):
        network_of(tmp_path / "old.pt", read_state(tmp_path / "old.pt"))


def test_a_resumed_run_goes_on_with_its_way_of_colouring_detail(pairs: Path, tmp_path: Path) -> None:
    for colour in ("faded", "recoloured"):
        torch.save(a_run(pairs, replace(OWN, detail_colour=colour)).state(), tmp_path / "begun.pt")
        network = network_of(tmp_path / "begun.pt", read_state(tmp_path / "begun.pt"))
        assert network.variant.detail_colour == colour


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_run_is_resumed_without_the_preset_that_it_started_with(
    pairs: Path, tmp_path: Path, harm: str
) -> None:
    """Its weights are of no use any more; one that starts with its own preset may be killed as it writes."""
    begun_with = make_preset(tmp_path / "dusk", name="dusk", native_scale=64)

    def go(*, resume: bool) -> Listener:
        listener = Listener(stop_after=1)
        run.train(
            "mine", partial(run.pairs, pairs, [], []), minutes=10, resume=resume, native_scale=64,
            levels=None, device="cpu", seed=0, work=tmp_path / "work", to=tmp_path, overwrite=False, said={},
            report=listener, stop=listener.stop, start=str(begun_with.path),
        )  # fmt: skip
        return listener

    go(resume=False)
    if harm == "gone":
        begun_with.path.unlink()
    else:
        begun_with.weights.write_bytes(b"half of them")
    assert go(resume=True).steps[0].number == 2


def test_a_run_is_not_resumed_with_other_options(pairs: Path, tmp_path: Path) -> None:
    def start(levels: int, *, published: bool, resume: bool) -> None:
        listener = Listener(stop_after=1)
        run.train(
            "mine", partial(run.groups, [pairs / "input"], [pairs / "target"], [], None, None, published),
            minutes=10, resume=resume, native_scale=64, levels=levels, device="cpu", seed=0,
            work=tmp_path / "work", to=tmp_path, overwrite=False, said={}, report=listener,
            stop=listener.stop,
        )  # fmt: skip

    start(4, published=False, resume=False)
    with pytest.raises(StartError, match="is of a run with --levels 4"):
        start(3, published=False, resume=True)
    with pytest.raises(StartError, match="is of a run with --losses own; resume it so"):
        start(4, published=True, resume=True)
    with pytest.raises(StartError, match=r"is of a run with --from DIR; resume it so"):
        train(pairs, tmp_path, Listener(), resume=True)
    start(4, published=False, resume=True)
    listener = Listener(stop_after=1)
    train(pairs, tmp_path / "pairs", listener)
    other = partial(run.pairs, pairs, [], [pairs / "target"])
    with pytest.raises(StartError, match="is of a run with --identity DIR; resume it so"):
        train(pairs, tmp_path / "pairs", listener, resume=True, load=other)
