"""Training on pairs: it learns, it goes on where it ended, it names what it skips."""

from __future__ import annotations

import json
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lptn_cli.errors import OutputError, StartError, UsageError, WriteError
from lptn_cli.network import LPTN
from lptn_cli.preset import Preset
from lptn_cli.signals import Stop
from lptn_cli.training import run
from lptn_cli.training.data import load_pairs
from lptn_cli.training.loop import Step, Trainer, near_identity
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.run import OWN
from lptn_cli.translate import load_network
from tests.command import LPTN as COMMAND
from tests.command import on_linux
from tests.command import run as lptn
from tests.conftest import make_preset, photo

CPU = torch.device("cpu")


class Listener:
    def __init__(self, stop_after: int = 10**9) -> None:
        self.notes: list[str] = []
        self.steps: list[Step] = []
        self.stop, self._stop_after = Stop(), stop_after

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) >= self._stop_after:
            self.stop.asked = True


def train(
    pairs: Path, work: Path, listener: Listener,
    *, resume: bool = False, minutes: float = 10, overwrite: bool = False,
) -> Preset:  # fmt: skip
    return run.train(
        "mine", partial(run.pairs, pairs, [pairs / "target"], [pairs / "target"]),
        minutes=minutes, resume=resume, native_scale=64, levels=4, device="cpu", seed=1,
        work=work / "work", to=work / "presets", overwrite=overwrite, said={"description": "brighter"},
        report=listener, stop=listener.stop,
    )  # fmt: skip


def test_it_learns_resumes_and_leaves_a_usable_preset(pairs: Path, tmp_path: Path) -> None:
    from lptn_cli import Retoucher

    first = Listener(stop_after=6)
    made = train(pairs, tmp_path, first)
    assert (made.native_scale, made.description) == (64, "brighter")
    assert any("broken.jpg" in note for note in first.notes)
    assert any("alone: has no usable partner" in note for note in first.notes)
    second = Listener(stop_after=20)
    made = train(pairs, tmp_path, second, resume=True)
    assert second.steps[0].number == first.steps[-1].number + 1
    assert second.steps[0].seconds > first.steps[-1].seconds
    assert np.mean([s.loss for s in second.steps[-5:]]) < 0.7 * np.mean([s.loss for s in first.steps[:3]])
    measured = second.steps[-1].measured
    assert measured is not None
    assert measured["psnr"] > measured["psnr_before"] + 1
    result = Retoucher(made, "cpu")(photo(128, 160, seed=3) // 2)
    assert result.mean() > (photo(128, 160, seed=3) // 2).mean() + 5
    lines = (tmp_path / "work" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines][:6] == [1, 2, 3, 4, 5, 6]


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


def test_a_run_that_begins_anew_has_a_log_of_its_own(pairs: Path, tmp_path: Path) -> None:
    for _ in range(2):
        train(pairs, tmp_path, Listener(stop_after=3), overwrite=True)
        (tmp_path / "work" / "checkpoint.pt").unlink()
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


def test_too_few_pairs_is_said(pairs: Path, tmp_path: Path) -> None:
    for part in ("input", "target"):
        (tmp_path / part).mkdir()
    with pytest.raises(UsageError, match="0 usable pairs"):
        load_pairs(tmp_path, [], [], 64)
    with pytest.raises(UsageError, match="no folder"):
        load_pairs(tmp_path / "none", [], [], 64)
    with pytest.raises(UsageError, match="usable pairs"):
        load_pairs(pairs, [], [], 640)


def test_an_untrained_network_is_near_the_identity() -> None:
    torch.manual_seed(0)
    network = near_identity(LPTN(num_high=4, variant=OWN)).eval()
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert float((network(image) - image).abs().mean()) < 0.05


def test_resumed_random_numbers_go_on(pairs: Path, tmp_path: Path) -> None:
    """The same run in one go and in two gives the same weights."""
    data = load_pairs(pairs, [], [], 64)

    def trainer() -> Trainer:
        torch.manual_seed(0)
        network = near_identity(LPTN(nrb_low=1, nrb_high=1, num_high=3, variant=OWN))
        return Trainer(network, PairObjective(data, torch.device("cpu")), torch.device("cpu"), seed=4)

    whole = trainer()
    for _ in range(4):
        whole._one_step(0.0)
    first = trainer()
    for _ in range(2):
        first._one_step(0.0)
    torch.save(first._state(), tmp_path / "half.pt")
    second = trainer()
    second.resume(tmp_path / "half.pt")
    for _ in range(2):
        second._one_step(0.0)
    for key, value in whole.averaged.items():
        assert torch.allclose(value, second.averaged[key], atol=1e-6), key


def test_a_run_of_another_network_is_not_resumed(pairs: Path, tmp_path: Path) -> None:
    data = load_pairs(pairs, [], [], 64)

    def trainer(*, context: bool) -> Trainer:
        network = LPTN(nrb_low=1, nrb_high=1, num_high=3, variant=OWN, context=context)
        return Trainer(network, PairObjective(data, CPU), CPU)

    torch.save(trainer(context=False)._state(), tmp_path / "old.pt")
    with pytest.raises(StartError, match=r"old\.pt is of another network.*begin anew, with --start"):
        trainer(context=True).resume(tmp_path / "old.pt")
    other_sizes = trainer(context=True)._state()
    first = "trans_low.context.layers.0.weight"
    other_sizes["network"] = {**other_sizes["network"], first: other_sizes["network"][first][:, :128]}
    torch.save(other_sizes, tmp_path / "sizes.pt")
    with pytest.raises(StartError, match=r"sizes\.pt is of another network"):
        trainer(context=True).resume(tmp_path / "sizes.pt")


def test_a_name_that_is_taken_or_cannot_be_used_is_said_before_training(pairs: Path, tmp_path: Path) -> None:
    from tests.conftest import make_preset

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


def test_unpaired_training_moves_towards_the_target(pairs: Path, tmp_path: Path) -> None:
    listener = Listener(stop_after=25)
    made = run.train(
        "warm", partial(run.groups, [pairs / "input"], [pairs / "target"], [], None, None, False),
        minutes=10, resume=False, native_scale=64, levels=4, device="cpu", seed=0, work=tmp_path / "work",
        to=tmp_path, overwrite=False, said={}, report=listener, stop=listener.stop,
    )  # fmt: skip
    from lptn_cli import Retoucher

    before = photo(128, 160, seed=3) // 2
    assert Retoucher(made, "cpu")(before).mean() > before.mean() + 3
    assert not made.keeps_grey
    measured = listener.steps[-1].measured
    assert measured is not None
    assert measured["structure"] > 0.8
    resumed = Listener(stop_after=1)
    run.train(
        "warm", partial(run.groups, [pairs / "input"], [pairs / "target"], [], None, None, False),
        minutes=10, resume=True, native_scale=64, levels=4, device="cpu", seed=0, work=tmp_path / "work",
        to=tmp_path, overwrite=False, said={}, report=resumed, stop=resumed.stop,
    )  # fmt: skip
    assert resumed.steps[0].number == listener.steps[-1].number + 1


@pytest.mark.parametrize(
    ("guide", "undo", "published"),
    [("night", None, False), ("day", "night", False), (None, None, True)],
    ids=["guided", "guided there and back", "published"],
)
def test_other_ways_to_learn_without_pairs(
    guide: str | None, undo: str | None, published: bool, pairs: Path, tmp_path: Path
) -> None:
    """A guide pulls towards its look, the losses of the paper keep the photo; all resume, show and tell."""
    load = partial(run.groups, [pairs / "target"], [pairs / "input"], [], guide, undo, published)
    steps = []
    enough = 8 if published else 30  # three networks learn there, slowly
    for resume, more in ((False, enough), (True, 1)):
        listener = Listener(stop_after=more)
        made = run.train(
            "way", load, minutes=10, resume=resume, native_scale=64, levels=4, device="cpu", seed=0,
            work=tmp_path / "w", to=tmp_path, overwrite=False, said={}, report=listener, stop=listener.stop,
        )  # fmt: skip
        steps += listener.steps
    assert steps[-1].number > enough
    assert all(np.isfinite(step.loss) for step in steps)
    from lptn_cli import Retoucher

    before = photo(128, 160, seed=3)
    change = Retoucher(made, "cpu")(before).mean() - before.mean()
    assert {"night": change < -10, "day": change > 10, None: abs(change) < 10}[guide]
    assert (tmp_path / "w" / "sheet.png").stat().st_size > 1000
    assert "structure: " in (tmp_path / "w" / "losses.svg").read_text()


@pytest.mark.parametrize("many", [False, True])
def test_a_run_can_begin_with_a_preset(
    many: bool, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights and levels are the first ones, whatever --levels says; it gets a context where photos are
    many; native scales must agree."""
    monkeypatch.setattr(run, "ENOUGH_FOR_A_CONTEXT", 1 if many else 10**6)
    preset = make_preset(tmp_path / "presets", context=False)

    def start(native_scale: int) -> Preset:
        listener = Listener(stop_after=1)
        return run.train(
            "finer", partial(run.groups, [pairs / "input"], [pairs / "target"], [], None, None, False),
            minutes=10, resume=False, native_scale=native_scale, levels=4, device="cpu", seed=0,
            work=tmp_path / "work", to=tmp_path, overwrite=True, said={}, report=listener,
            stop=listener.stop, start=str(preset.path),
        )  # fmt: skip

    before, after = load_network(preset).state_dict(), load_network(start(64)).state_dict()
    assert {key for key in after.keys() ^ before.keys() if ".context." not in key} == set()
    assert (len(after) > len(before)) == many
    largest = max(float((before[key] - after[key]).abs().max()) for key in before)
    assert 0 < largest < 1e-3  # one step of a warm-up
    (tmp_path / "work" / "checkpoint.pt").unlink()
    with pytest.raises(UsageError, match="give --native-scale 64"):
        start(60)


def test_a_stop_before_the_first_step_is_said(pairs: Path, tmp_path: Path) -> None:
    listener = Listener()
    listener.stop.asked = True
    with pytest.raises(StartError, match="before the first step"):
        train(pairs, tmp_path, listener)
    assert not (tmp_path / "work" / "checkpoint.pt").exists()


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
    assert not list((tmp_path / "w").iterdir())


def test_a_loss_that_is_no_number_ends_the_run_and_spares_the_checkpoint(pairs: Path, tmp_path: Path) -> None:
    data = load_pairs(pairs, [], [], 64)
    trainer = Trainer(LPTN(num_high=3, variant=OWN), PairObjective(data, CPU), CPU)
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(float("nan"))
    with pytest.raises(StartError, match="nan at step 1"):
        trainer.run(1, tmp_path / "checkpoint.pt", lambda _: None, Stop(), lambda _: None)
    assert not (tmp_path / "checkpoint.pt").exists()


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


def test_a_reader_of_json_that_goes_away_stops_the_run_and_loses_nothing(pairs: Path, tmp_path: Path) -> None:
    work, presets = tmp_path / "w", tmp_path / "p"
    words = ["--pairs", pairs, "--native-scale", 64, "--levels", 4, "--work", work, "-o", presets]
    command = [COMMAND, "train", "mine", *map(str, words), "-d", "cpu", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        assert json.loads(process.stdout.readline())["step"] == 1
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 141
    assert (work / "checkpoint.pt").exists() and (presets / "mine.toml").exists()
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
    ],
)
def test_options_that_do_not_fit_are_said(options: list[str], said: str) -> None:
    done = lptn("train", "mine", *options)
    assert done.code == 2
    assert said in done.error
