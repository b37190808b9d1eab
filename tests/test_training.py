"""Training: it learns, goes on where it ended, and leaves a preset."""

from __future__ import annotations

import json
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
from lptn_cli.training.loop import Trainer, near_identity, read_state
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.run import OWN
from lptn_cli.translate import load_network
from tests.conftest import make_preset, photo
from tests.training_runs import Listener, train

CPU = torch.device("cpu")


def test_it_learns_resumes_and_leaves_a_usable_preset(pairs: Path, tmp_path: Path) -> None:
    from lptn_cli import Retoucher

    first = Listener(stop_after=6)
    made = train(pairs, tmp_path, first)
    assert (made.native_scale, made.description) == (64, "brighter")
    assert any("broken.jpg" in note for note in first.notes)
    assert any("alone.png: has no partner" in note for note in first.notes)
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
        whole.one_step(0.0)
    first = trainer()
    for _ in range(2):
        first.one_step(0.0)
    torch.save(first.state(), tmp_path / "half.pt")
    second = trainer()
    second.resume(tmp_path / "half.pt", read_state(tmp_path / "half.pt"))
    for _ in range(2):
        second.one_step(0.0)
    for key, value in whole.averaged.items():
        assert torch.allclose(value, second.averaged[key], atol=1e-6), key


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


@pytest.mark.parametrize("published", [False, True])
def test_a_seed_decides_of_a_discriminator_too(pairs: Path, tmp_path: Path, *, published: bool) -> None:
    losses = []
    for n in range(2):
        listener = Listener(stop_after=1)
        torch.manual_seed(100 + n)  # whatever was drawn before
        run.train(
            "warm", partial(run.groups, [pairs / "input"], [pairs / "target"], [], None, None, published),
            minutes=10, resume=False, native_scale=64, levels=4, device="cpu", seed=5,
            work=tmp_path / f"w{n}", to=tmp_path / str(n), overwrite=False, said={}, report=listener,
            stop=listener.stop,
        )  # fmt: skip
        losses.append(torch.load(tmp_path / f"w{n}" / "checkpoint.pt", weights_only=True)["objective"])
    one, other = (torch.cat([value.flatten() for value in tensors(kept)]) for kept in losses)
    assert one.numel() > 1000 and torch.allclose(one, other, atol=1e-6)


def tensors(kept: Any) -> list[torch.Tensor]:
    if isinstance(kept, torch.Tensor):
        return [kept.float()]
    inner = kept.values() if isinstance(kept, dict) else kept if isinstance(kept, list) else []
    return [value for part in inner for value in tensors(part)]


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


@pytest.mark.parametrize(
    ("many", "context", "gets_one"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True)],
)
def test_a_run_can_begin_with_a_preset(
    many: bool, context: bool | None, gets_one: bool,
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its weights and levels are the first ones, whatever --levels says; it gets a context where photos are
    many, or where that is asked; native scales must agree."""
    monkeypatch.setattr(run, "ENOUGH_FOR_A_CONTEXT", 1 if many else 10**6)
    preset = make_preset(tmp_path / "presets", context=False)

    def start(native_scale: int, preset: Preset = preset) -> Preset:
        listener = Listener(stop_after=1)
        return run.train(
            "finer", partial(run.groups, [pairs / "input"], [pairs / "target"], [], None, None, False),
            minutes=10, resume=False, native_scale=native_scale, levels=None, device="cpu", seed=0,
            work=tmp_path / "work", to=tmp_path, overwrite=True, said={}, report=listener,
            stop=listener.stop, start=str(preset.path), context=context,
        )  # fmt: skip

    before, after = load_network(preset).state_dict(), load_network(start(64)).state_dict()
    assert {key for key in after.keys() ^ before.keys() if ".context." not in key} == set()
    assert (len(after) > len(before)) == gets_one
    largest = max(float((before[key] - after[key]).abs().max()) for key in before)
    assert 0 < largest < 1e-3  # one step of a warm-up
    (tmp_path / "work" / "checkpoint.pt").unlink()
    with pytest.raises(UsageError, match="give --native-scale 64"):
        start(60)
    if context is False:
        with pytest.raises(UsageError, match="leave --no-context out"):
            start(64, make_preset(tmp_path / "with"))


def test_a_loss_that_is_no_number_ends_the_run_and_spares_the_checkpoint(pairs: Path, tmp_path: Path) -> None:
    data = load_pairs(pairs, [], [], 64)
    trainer = Trainer(LPTN(num_high=3, variant=OWN), PairObjective(data, CPU), CPU)
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(float("nan"))
    with pytest.raises(StartError, match="nan at step 1"):
        trainer.run(1, tmp_path / "checkpoint.pt", lambda _: None, Stop(), lambda _: None)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_step_without_room_ends_the_run_with_what_to_do(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(PairObjective, "loss", full)
    trainer = Trainer(LPTN(num_high=3, variant=OWN), PairObjective(load_pairs(pairs, [], [], 64), CPU), CPU)
    with pytest.raises(StartError, match="not enough memory for step 1; use a smaller --native-scale"):
        trainer.run(1, tmp_path / "checkpoint.pt", lambda _: None, Stop(), lambda _: None)
    trainer.step = 7
    with pytest.raises(StartError, match=r"checkpoint.pt holds step 7; go on from it with --resume"):
        trainer.run(1, tmp_path / "checkpoint.pt", lambda _: None, Stop(), lambda _: None)
