"""One `lptn train`: photos in, a preset out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from lptn_cli.branches import Variant
from lptn_cli.checkpoint import place_for, write_preset
from lptn_cli.errors import OutputError, StoppedError, UsageError
from lptn_cli.network import LPTN
from lptn_cli.preset import Preset, find, read
from lptn_cli.signals import Stop
from lptn_cli.training.data import load_groups, load_pairs
from lptn_cli.training.guides import GUIDES
from lptn_cli.training.loop import Objective, Step, Trainer, near_identity
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.pictures import write_curves, write_sheet
from lptn_cli.training.published import PublishedObjective
from lptn_cli.training.unpaired import UnpairedObjective
from lptn_cli.translate import Retoucher, find_device, load_network

OWN = Variant(padding="reflect", normalization="none", output="linear")
FADING = replace(OWN, detail_colour="faded")
SHEET = 24  # photos on a contact sheet


class TrainingReport(Protocol):
    """Who hears of a run's progress (report.TrainingReport)."""

    def note(self, text: str) -> None: ...
    def step(self, step: Step) -> None: ...


@dataclass(frozen=True)
class Source:
    """What a run learns from, in code and in words."""

    objective: Objective
    counts: str
    skipped: Sequence[str]
    options: Mapping[str, str]  # that a run which is resumed must share
    keeps_grey: bool  # photos without colour are among those it learns from, and stay so
    variant: Variant


def pairs(
    folder: Path,
    identity: Sequence[Path],
    restore: Sequence[Path],
    native_scale: int,
    device: torch.device,
) -> Source:
    """Learn from FOLDER/input and FOLDER/target, from photos to leave alone and from photos to restore."""
    data = load_pairs(folder, identity, restore, native_scale)
    parts = [f"{len(data.pairs)} pairs", f"{len(data.identity)} photos to leave alone"]
    counts = ", ".join([*parts, f"{len(data.restore)} to restore"] if data.restore else parts)
    objective, options = PairObjective(data, device), {"--losses": "those of pairs"}
    return Source(objective, counts, data.skipped, options, keeps_grey=True, variant=OWN)


def groups(
    photos: Sequence[Path],
    targets: Sequence[Path],
    identity: Sequence[Path],
    guide: str | None,
    undo: str | None,
    published: bool,
    native_scale: int,
    device: torch.device,
) -> Source:
    """Learn from folders of photos of one look and of the other, and of photos to leave alone.

    guide, undo: of GUIDES, one to learn along and the one of the way back. published: learn with the losses
    of the paper.
    """
    data = load_groups(photos, targets, identity, native_scale)
    counts = f"{len(data.photos)} photos and {len(data.targets)} of the look they should get"
    counts += f", {len(data.identity)} photos to leave alone" if data.identity else ""
    objective: Objective
    if published:
        objective = PublishedObjective(data, device)
    else:
        along, back = (GUIDES[name] if name else None for name in (guide, undo))
        objective = UnpairedObjective(data, device, along, back)
    losses = "published" if published else "own"
    options = {"--losses": losses, "--guide": guide or "none", "--undo": undo or "none"}
    return Source(objective, counts, data.skipped, options, keeps_grey=False, variant=FADING)


def train(
    name: str,
    load: Callable[[int, torch.device], Source],
    *,
    minutes: float,
    resume: bool,
    native_scale: int,
    levels: int,
    device: str,
    seed: int,
    work: Path,
    to: Path,
    overwrite: bool,
    said: Mapping[str, str],
    report: TrainingReport,
    stop: Stop,
    start: str | None = None,
) -> Preset:
    """Train the preset NAME and write it to `to`, anew at every checkpoint.

    levels: of the pyramid above its low-frequency component (num_high). start: the preset whose weights, and
    so levels, are the first ones. `said` holds the preset's description and license. `work` gets
    checkpoint.pt and log.jsonl, and at every checkpoint sheet.png (held-back photos before and after) and
    losses.svg. When a stop is asked, the state is kept and the preset is usable.
    Raises UsageError (too few photos, a run that would be lost), StartError, OutputError, StoppedError.
    """
    checkpoint, log = work / "checkpoint.pt", work / "log.jsonl"
    if checkpoint.exists() and not resume:
        raise UsageError(f"{checkpoint} is of an earlier run; go on with --resume, or delete it")
    place_for(name, to, overwrite=overwrite or resume)
    on = find_device(device)
    _make_folders(work, to)
    report.note("reading the photos")
    source = load(native_scale, on)
    for line in source.skipped:
        report.note(f"skipped {line}")
    report.note(f"training on {source.counts}")
    torch.manual_seed(seed)
    network = _first(start, levels, native_scale, source.variant)
    options: dict[str, int | str] = {
        "--levels": network.num_high, "--native-scale": native_scale, "--start": start or "none",
        **source.options,
    }  # fmt: skip
    trainer = Trainer(network, source.objective, on, seed, options)
    if resume:
        trainer.resume(checkpoint)

    def write(trainer: Trainer) -> None:
        told = {
            **said,
            "native_scale": native_scale,
            "keeps_grey": source.keeps_grey,
            "trained": f"{trainer.step} steps in {trainer.seconds / 60:.0f} minutes, {source.counts}",
        }
        made = write_preset(name, to, trainer.averaged_network(), told, overwrite=True)
        look = Retoucher(made, device)
        write_sheet(work / "sheet.png", [(photo, look(photo)) for photo in source.objective.examples[:SHEET]])

    with log.open("a", buffering=1, encoding="utf-8") as lines:  # a line a step, at once

        def on_step(step: Step) -> None:
            lines.write(step.as_json() + "\n")
            if step.measured:
                write_curves(work / "losses.svg", log.read_text("utf-8").splitlines())
            report.step(step)

        trainer.run(minutes, checkpoint, on_step, stop, on_checkpoint=write)
    if not trainer.step:
        raise StoppedError("stopped before the first step; nothing was written")
    return read(to / f"{name}.toml")


def _first(start: str | None, levels: int, native_scale: int, variant: Variant) -> LPTN:
    """The network before its first step: that of the preset `start`, or one that changes little.

    Raises UsageError, PresetError.
    """
    if start is None:
        return near_identity(LPTN(num_high=levels, variant=variant, context=True))
    preset = find(start)
    if preset.native_scale != native_scale:
        remedy = f"give --native-scale {preset.native_scale}" if preset.native_scale else "start with another"
        raise UsageError(f"{preset.name} does not work at a native scale of {native_scale}; {remedy}")
    return load_network(preset).with_context()


def _make_folders(*folders: Path) -> None:
    """Now rather than after the first minutes of training. Raises OutputError."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from None
