"""One `lptn train`: photos in, a preset out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lptn_cli.atomic import sweep
from lptn_cli.branches import Variant
from lptn_cli.checkpoint import place_for
from lptn_cli.device import find_device, passed_over
from lptn_cli.errors import StoppedError, UsageError
from lptn_cli.network import LPTN
from lptn_cli.preset import Preset, find, read
from lptn_cli.signals import Stop
from lptn_cli.training.data import Hear, load_groups, load_pairs
from lptn_cli.training.guides import GUIDES
from lptn_cli.training.loop import Objective, Trainer, near_identity, network_of, read_state, require_like
from lptn_cli.training.making import Make, said_before
from lptn_cli.training.notebook import Notebook, Progress, require_folder, work_folder
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.published import PublishedObjective
from lptn_cli.training.reading import STOPPED_EARLY
from lptn_cli.training.unpaired import UnpairedObjective
from lptn_cli.translate import load_network

OWN = Variant(padding="reflect", normalization="none", output="linear")
RECOLOURING = replace(OWN, detail_colour="recoloured")
# Photos without pairs: a context learns fewer by heart. With 163, the error on photos held back was three
# times that on photos trained on, without one 1.7 times; with 750 it is 1.2 times. With pairs, whose inputs
# vary and need no telling apart, 150 came 2.3 dB nearer in six minutes than without one.
ENOUGH_FOR_A_CONTEXT = 500
LEVELS = 3


Options = Mapping[str, int | str | None]  # of the command line, by name
Check = Callable[[Options], object]  # hears of a source's options before any photo is read


@dataclass(frozen=True)
class Source:
    """What a run learns from, in code and in words."""

    objective: Objective
    counts: str
    skipped: Sequence[str]
    options: Options  # that a run which is resumed must share
    keeps_grey: bool  # photos without colour are among those it learns from, and stay so
    variant: Variant
    context: bool


Load = Callable[[int, torch.device, Stop, Hear, Check], Source]  # at a native scale


def pairs(
    folder: Path,
    identity: Sequence[Path],
    restore: Sequence[Path],
    native_scale: int,
    device: torch.device,
    stop: Stop,
    hear: Hear,
    check: Check = lambda _: None,
) -> Source:
    """Learn from FOLDER/input and FOLDER/target, from photos to leave alone and from photos to restore."""
    options: Options = {"--pairs": "DIR", **_given(identity=identity, restore=restore)}
    check(options)
    data = load_pairs(folder, identity, restore, native_scale, stop, hear)
    counts = f"{len(data.pairs)} pairs"
    counts += f", {len(data.identity)} photos to leave alone" if data.identity else ""
    counts += f", {len(data.restore)} to restore" if data.restore else ""
    objective = PairObjective(data, device)
    return Source(objective, counts, data.skipped, options, objective.keeps_grey, variant=OWN, context=True)


def groups(
    photos: Sequence[Path],
    targets: Sequence[Path],
    identity: Sequence[Path],
    guide: str | None,
    undo: str | None,
    published: bool,
    native_scale: int,
    device: torch.device,
    stop: Stop,
    hear: Hear,
    check: Check = lambda _: None,
) -> Source:
    """Learn from folders of photos of one look and of the other, and of photos to leave alone.

    guide, undo: of GUIDES, one to learn along and the one of the way back. published: learn with the losses
    of the paper.
    """

    def going_on(text: str) -> None:
        if stop.asked:
            raise StoppedError(STOPPED_EARLY)
        hear(text)

    losses = "published" if published else "own"
    options: Options = {"--from": "DIR", "--losses": losses, "--guide": guide, "--undo": undo}
    options = {**options, **_given(identity=identity)}
    check(options)
    data = load_groups(photos, targets, identity, native_scale, stop, hear)
    counts = f"{len(data.photos)} photos and {len(data.targets)} of the look they should get"
    counts += f", {len(data.identity)} photos to leave alone" if data.identity else ""
    objective: Objective
    if published:
        objective = PublishedObjective(data, device)
    else:
        along, back = (GUIDES[name] if name else None for name in (guide, undo))
        objective = UnpairedObjective(data, device, along, back, going_on)
    many = len(data.photos) >= ENOUGH_FOR_A_CONTEXT
    return Source(
        objective, counts, data.skipped, options, keeps_grey=False, variant=RECOLOURING, context=many
    )


def _given(**folders: Sequence[Path]) -> dict[str, str | None]:
    """As options that a run to be resumed must share: whether there are such folders, wherever they are."""
    return {f"--{name}": "DIR" if some else None for name, some in folders.items()}


def train(
    name: str,
    load: Load,
    *,
    minutes: float,
    resume: bool,
    native_scale: int,
    levels: int | None,
    device: str,
    seed: int,
    work: Path,
    to: Path,
    overwrite: bool,
    said: Mapping[str, str],
    report: Progress,
    stop: Stop,
    start: str | None = None,
    context: bool | None = None,
) -> Preset:
    """Train the preset NAME and write it to `to`, anew at every checkpoint.

    levels: of the pyramid above its low-frequency component (num_high); None: LEVELS. start: the preset whose
    weights, and so levels, are the first ones. context: whether the network has one (branches.Context); None:
    with pairs, and with ENOUGH_FOR_A_CONTEXT photos. `said` holds the preset's description and license.
    `work` gets checkpoint.pt and log.jsonl, and at every checkpoint sheet.png (held-back photos before and
    after) and losses.svg; what of the last three cannot be written is told, and the run goes on. When a stop
    is asked, the state is kept and the preset is usable; within CHECKPOINT_SECONDS it takes no other's place.
    Raises UsageError (too few photos, a run that would be lost), StartError, OutputError, StoppedError.
    """
    place = place_for(name, to, overwrite=overwrite or resume)
    on = find_device(device)
    first = None if resume else _to_start_with(start, native_scale, levels, context)
    require_folder(to, "-o")
    with work_folder(work, resume=resume) as checkpoint:
        sweep(to)
        state = read_state(checkpoint) if resume else None  # damaged: now, not after all photos are read
        begun = network_of(checkpoint, state) if state is not None else None
        has = (begun or first) if start else None
        levels = has.num_high if has else levels or LEVELS
        own: Options = {"--start": start, "--levels": levels, "--native-scale": native_scale}

        def check(options: Options) -> None:
            if state is not None:
                require_like(checkpoint, state, {**own, **options}, context=context)

        torch.manual_seed(seed)  # of a discriminator
        if said_of_gpu := passed_over(device):
            report.note(said_of_gpu)
        report.note("reading the photos")
        source = load(native_scale, on, stop, report.busy, check)
        for line in source.skipped:
            report.note(f"skipped {line}")
        report.note(f"training on {source.counts}")
        torch.manual_seed(seed)  # of the network, whatever came before
        network = begun or _first(first, levels, source, context)
        trainer = Trainer(network, source.objective, on, seed, {**own, **source.options})
        if state is not None:
            trainer.resume(checkpoint, state)
            said = said_before(place, trainer, said, overwrite=overwrite)
        trainer.said = dict(said)
        begun_at = trainer.step
        notebook = Notebook(work, report, begun_at=begun_at)
        words = {"native_scale": native_scale, "keeps_grey": source.keeps_grey}
        make = Make(place, words, source.counts, device, notebook, overwrite, stop)
        trainer.run(minutes, checkpoint, notebook.step, stop, on_checkpoint=make)
        if not trainer.step:
            raise StoppedError(STOPPED_EARLY)
        if trainer.step == begun_at:
            make(trainer)
            if not stop.asked:
                report.note(f"the {minutes:g} minutes are used up; give more --minutes to go on")
        if make.spared:
            fact = f"stopped after {trainer.seconds:.0f} s; {place} is left as it was"
            raise StoppedError(f"{fact}, what was learned is in {work}; go on with --resume --overwrite")
        return read(place)


def _to_start_with(
    start: str | None, native_scale: int, levels: int | None, context: bool | None
) -> LPTN | None:
    """The network of the preset `start`: damaged or missing is said now, not after all photos are read.

    Raises UsageError: there is none of that name, it works at another native scale or of other levels, or it
    has a context and none is wanted.
    """
    if not start:
        return None
    preset = find(start)
    network = load_network(preset)
    if preset.native_scale != native_scale:
        remedy = f"give --native-scale {preset.native_scale}" if preset.native_scale else "start with another"
        raise UsageError(f"{preset.name} does not work at a native scale of {native_scale}; {remedy}")
    if levels not in (None, network.num_high):
        raise UsageError(f"{preset.name} has {network.num_high} levels; leave --levels out, or --start")
    if network.trans_low.context and context is False:
        raise UsageError(f"{preset.name} has a context; leave --no-context out, or start with another preset")
    return network


def _first(network: LPTN | None, levels: int, source: Source, context: bool | None) -> LPTN:
    """The network before its first step: that of the preset, or one that changes little."""
    wanted = source.context if context is None else context
    if network is None:
        return near_identity(LPTN(num_high=levels, variant=source.variant, context=wanted))
    return network.with_context() if wanted else network
