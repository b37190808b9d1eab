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

from lptn_cli.codecs import encode
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.errors import StartError, UsageError
from lptn_cli.network import LPTN
from lptn_cli.preset import Preset
from lptn_cli.signals import Stop
from lptn_cli.training import run
from lptn_cli.training.batches import GroupBatches, pair_batch, some_without_colour
from lptn_cli.training.data import GroupData, Pair, load_pairs
from lptn_cli.training.guides import night
from lptn_cli.training.loop import Step, Trainer, near_identity
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.renderings import unedited, varied
from lptn_cli.training.run import OWN
from lptn_cli.training.unpaired import UnpairedObjective
from lptn_cli.translate import load_network
from tests.command import run as lptn
from tests.command import save
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


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs whose target is brighter and warmer, wide and tall ones, and some that cannot be used."""
    folder = tmp_path_factory.mktemp("pairs")
    for part in ("input", "target"):
        (folder / part).mkdir()
    for n in range(12):
        size = (64, 80) if n % 3 else (90, 64)
        before = photo(*size, seed=n) // 2
        after = np.clip(before * np.array([1.6, 1.5, 1.3]), 0, 255).astype(np.uint8)
        for part, pixels in (("input", before), ("target", after)):
            data = encode(Image(pixels=pixels, format="png"), EncodeOptions(format="png"))
            (folder / part / f"{n:02}.png").write_bytes(data)
    (folder / "input" / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    (folder / "input" / "alone.png").write_bytes((folder / "input" / "00.png").read_bytes())
    return folder


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


def test_held_back_photos_are_always_the_same_and_never_trained_on(pairs: Path) -> None:
    once, again = load_pairs(pairs, [], [], 64), load_pairs(pairs, [], [], 64)
    held = {pair.name for pair in once.held_back}
    assert held == {pair.name for pair in again.held_back}
    assert held
    assert not held & {pair.name for pair in once.pairs}


def test_batches_are_reproducible_and_keep_pairs_together(pairs: Path) -> None:
    data = load_pairs(pairs, [], [], 64)
    draws = [pair_batch([(data.pairs, 1.0)], torch.Generator().manual_seed(5), 4) for _ in range(2)]
    assert torch.equal(draws[0][0], draws[1][0])
    inputs, targets, _ = draws[0]
    assert inputs.shape == targets.shape
    gain = (targets.mean((0, 2, 3)) / inputs.mean((0, 2, 3))).numpy()
    np.testing.assert_allclose(gain, [1.6, 1.5, 1.3], rtol=0.05)


def test_photos_that_show_what_a_held_back_pair_shows_are_not_learned_from(tmp_path: Path) -> None:
    """Under other names and in another grading they would give the held-back pairs away."""
    numbers = np.random.default_rng(0)
    for n in range(30):
        scene = np.kron(numbers.integers(40, 250, (4, 5, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        save(tmp_path / "input" / f"{n}.png", scene // 2)
        save(tmp_path / "target" / f"{n}.png", scene)
        save(tmp_path / "others" / f"photo-{n}.png", (scene * 0.8 + 10).astype(np.uint8))
    data = load_pairs(tmp_path, [tmp_path / "others"], [tmp_path / "others"], 64)
    held = {f"photo-{pair.name}" for pair in data.held_back}
    assert held
    for photos in ([*data.identity, *data.held_back_identity], data.restore):
        names = {pair.name for pair in photos}
        assert not held & names
        assert len(names) >= 26 - len(held)


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


def test_an_untrained_network_is_near_the_identity() -> None:
    torch.manual_seed(0)
    network = near_identity(LPTN(num_high=4, variant=OWN)).eval()
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert float((network(image) - image).abs().mean()) < 0.05


def test_inputs_vary_only_while_pairs_are_few(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_pairs(pairs, [], [], 64)
    monkeypatch.setattr("lptn_cli.training.batches.GREY_SHARE", 0)
    for few, varies in ((len(data.pairs), False), (len(data.pairs) + 1, True)):
        monkeypatch.setattr("lptn_cli.training.pairs.FEW", few)
        shown, _ = PairObjective(data, CPU).batch(torch.Generator().manual_seed(0))
        whole_levels = (255 * shown - (255 * shown).round()).abs().max() < 1e-3
        assert bool(whole_levels) != varies


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
    for resume, more in ((False, 30), (True, 1)):
        listener = Listener(stop_after=more)
        made = run.train(
            "way", load, minutes=10, resume=resume, native_scale=64, levels=4, device="cpu", seed=0,
            work=tmp_path / "w", to=tmp_path, overwrite=False, said={}, report=listener, stop=listener.stop,
        )  # fmt: skip
        steps += listener.steps
    assert steps[-1].number > 30
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


def test_every_photo_has_partners_of_its_orientation() -> None:
    wide, tall = ([photo(*size, seed=n) for n in range(60)] for size in ((32, 48), (48, 32)))
    data = GroupData([*wide[:5], *tall[:2]], [*wide, tall[0]], wide[:1], [])
    partners = GroupBatches(data).partners
    assert [len(row) for row in partners] == [40] * 5 + [1] * 2
    assert all((row < 60).all() for row in partners[:5])
    assert all((row == 60).all() for row in partners[5:])


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
