"""Training on pairs: it learns, it goes on where it ended, it names what it skips."""

from __future__ import annotations

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lptn_cli.errors import StartError, UsageError
from lptn_cli.network import LPTN
from lptn_cli.preset import Preset
from lptn_cli.signals import Stop
from lptn_cli.training import run
from lptn_cli.training.data import load_pairs
from lptn_cli.training.loop import Step, Trainer, near_identity
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.run import OWN
from lptn_cli.translate import load_network
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
    pairs: Path, work: Path, listener: Listener, *, resume: bool = False, minutes: float = 10
) -> Preset:
    return run.train(
        "mine", partial(run.pairs, pairs, [pairs / "target"], [pairs / "target"]),
        minutes=10, resume=resume, native_scale=64, levels=4, device="cpu",
        seed=1, work=work / "work", to=work / "presets", overwrite=False, said={"description": "brighter"},
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


def test_a_run_can_begin_with_a_preset(pairs: Path, tmp_path: Path) -> None:
    """Its weights and levels are the first ones, whatever --levels says; it gets a context; native scales
    must agree."""
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
    assert len(after) > len(before)
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
    assert "stopped before the first step" in done.stderr
    assert not (tmp_path / "mine.toml").exists()


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
    with pytest.raises(StartError, match="is of a run with --losses own"):
        start(4, published=True, resume=True)
    start(4, published=False, resume=True)


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
