"""The commands about looks themselves: list them, import them, train them; and what this machine has."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lptn_cli.errors import PresetError, StoppedError, UsageError

if TYPE_CHECKING:
    from lptn_cli.preset import Preset


class GuideName(StrEnum):
    """The hand-written looks of lptn_cli.training.guides."""

    NIGHT = "night"
    DAY = "day"
    WINTER = "winter"
    SUMMER = "summer"
    GOLDEN = "golden"
    AUTUMN = "autumn"


class Losses(StrEnum):
    OWN = "own"
    PUBLISHED = "published"


def place(text: str) -> Path:
    """Raises UsageError: the path is empty, which Path would take for the current folder, or an address."""
    if not text:
        raise UsageError("one of the paths is empty; is a shell variable unset?")
    if "://" in text:
        raise UsageError(f"{text} is an address; give a folder or file of this machine")
    return Path(text)


def finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):  # nan is within every range
        raise typer.BadParameter(f"{value} is not a number that can be used")
    return value


def preset_names(incomplete: str) -> list[str]:
    from lptn_cli import preset

    return [name for name in preset.available() if name.startswith(incomplete)]


def show_presets(
    name: Annotated[str | None, typer.Argument(help="Show this one.", autocompletion=preset_names)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """List the presets, or show one: what it does, how it was made, how good it is."""
    from lptn_cli import preset as presets
    from lptn_cli.photos import shown

    if name is None:
        found, broken = [], 0
        for path in presets.available().values():
            try:
                found.append(presets.read(path))
            except PresetError as error:
                broken = error.exit_code
                typer.echo(f"lptn: {error}", err=True)
        if as_json:
            typer.echo(json.dumps([p.as_json() for p in found], indent=2, default=str))
        else:
            width = max((len(p.name) for p in found), default=0)
            for p in found:
                typer.echo(f"{shown(p.name):{width}}  {shown(p.description)}")
        raise typer.Exit(broken)
    chosen = presets.find(name)
    chosen.read_weights()  # missing or damaged: said here, not when photos wait
    if as_json:
        typer.echo(json.dumps(chosen.as_json(), indent=2, default=str))
    else:
        rows = chosen.as_json()
        rows |= rows.pop("figures")
        width = max(map(len, rows))
        for key, value in rows.items():
            typer.echo(f"{key.replace('_', ' '):{width}}  {shown(str(value))}")


def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(parser=place, help="An LPTN checkpoint (.pth or .safetensors).")],
    name: Annotated[str, typer.Argument(help="What to call the preset.")],
    native_scale: Annotated[
        int | None, typer.Option(min=64, max=8192, help="Short side it was trained at; without it, the published full resolution.")
    ] = None,
    to: Annotated[Path | None, typer.Option(parser=place, metavar="DIR", show_default="your presets folder", help="Where the preset goes.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a preset of that name.")] = False,
) -> None:  # fmt: skip
    """Make a preset of an LPTN checkpoint: the authors', or one trained with their code."""
    from lptn_cli import checkpoint as checkpoints
    from lptn_cli import preset as presets

    made = checkpoints.import_checkpoint(
        checkpoint, name, to or presets.user_folder(), native_scale=native_scale, overwrite=overwrite
    )
    _say_ready(made)


def _say_ready(made: Preset) -> None:
    from lptn_cli import preset as presets
    from lptn_cli.bar import tell

    *_, shipped = presets.folders()
    known = made.path.parent in presets.folders()
    chosen = made.name if known else shlex.quote(str(made.path))
    tell(f"{made.path} is ready: lptn retouch photos/ -p {chosen}", None)
    if known and (shipped / made.path.name).exists() and made.path.parent != shipped:
        tell(f"it hides the {made.name} that comes with lptn; delete it to have that one back", None)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False) -> None:
    """Versions, devices, codecs and paths, for a bug report."""
    from lptn_cli.doctor import examine

    facts = examine()
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        typer.echo(f"{key:16} {value}")


def bench(
    preset: Annotated[str, typer.Option("-p", "--preset", metavar="NAME|FILE", autocompletion=preset_names, help="The look to time.")] = "retouch",
    photo: Annotated[Path | None, typer.Option(parser=place, metavar="FILE", help="Your photo, instead of a made 4K JPEG.")] = None,
    device: Annotated[str, typer.Option("-d", "--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:  # fmt: skip
    """Speed on this machine, stage by stage."""
    from lptn_cli.bench import bench as measure

    figures = measure(preset, device, photo)
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    typer.echo(
        f"{figures['photo']}, preset {figures['preset']}, {figures['device']}, {figures['cores']} cores"
    )
    for stage, times in figures["stages"].items():
        typer.echo(f"{stage:10} {times['ms']:8.1f} ms {times['cpu_ms']:8.1f} ms of processor time")
    typer.echo(
        f"{'one photo':10} {figures['one_photo_ms']:8.1f} ms, {figures['photos_per_second']} photos a second"
    )
    typer.echo(f"{'bound':10} {figures['bound']:8.1f} photos a second, if no core ever waited")


def train(
    name: Annotated[str, typer.Argument(help="What to call the preset.")],
    pairs: Annotated[Path | None, typer.Option(parser=place, metavar="DIR", help="Folder with input/ and target/: the same photos before and after.")] = None,
    from_: Annotated[list[Path] | None, typer.Option("--from", parser=place, metavar="DIR", help="Without pairs: folder of photos as they are; repeatable.")] = None,
    to_: Annotated[list[Path] | None, typer.Option("--to", parser=place, metavar="DIR", help="Without pairs: folder of other photos with the look; repeatable.")] = None,
    guide: Annotated[GuideName | None, typer.Option(help="Without pairs: stay near this hand-written look.")] = None,
    undo: Annotated[GuideName | None, typer.Option(help="Without pairs: learn too to take back this hand-written look, given to the photos of --to.")] = None,
    losses_: Annotated[Losses, typer.Option("--losses", help="Without pairs: our own, or those of the paper.")] = Losses.OWN,
    identity: Annotated[list[Path] | None, typer.Option(parser=place, metavar="DIR", help="Folder of photos that should stay as they are; repeatable.")] = None,
    restore: Annotated[list[Path] | None, typer.Option(parser=place, metavar="DIR", help="Folder of well-graded photos, to be brought back from flat, dark renderings; repeatable.")] = None,
    minutes: Annotated[float, typer.Option(min=0.01, callback=finite, help="How long to train, earlier runs included.")] = 60,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the last run of this name ended; give its other options again.")] = False,
    native_scale: Annotated[int, typer.Option(min=64, max=1024, help="Short side in pixels at which the look is learned; memory grows with its square.")] = 240,
    levels: Annotated[int | None, typer.Option(min=1, max=5, show_default="3, or those of --start", help="Of the pyramid: 3 follows finer differences of colour, 4 learns faster.")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="NAME|FILE", autocompletion=preset_names, help="Begin with the weights, and so the levels, of this preset.")] = None,
    context: Annotated[bool | None, typer.Option("--context/--no-context", show_default="with pairs or 500 photos", help="Whether the network knows what the whole photo is like: nearer to what it learns from, and more learned by heart.")] = None,
    device: Annotated[str, typer.Option("-d", "--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
    work: Annotated[Path | None, typer.Option(parser=place, metavar="DIR", show_default="./lptn-train/NAME", help="Where checkpoint and log go.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", parser=place, metavar="DIR", show_default="your presets folder", help="Where the preset goes.")] = None,
    description: Annotated[str, typer.Option(help="What the look does, for `lptn presets`.")] = "",
    license: Annotated[str, typer.Option(help="Under which the weights may be used.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a preset of that name.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout, one a step.")] = False,
) -> None:  # fmt: skip
    """Make a preset from photos: lptn train my-look --pairs my-edits/, or --from plain/ --to lovely/"""
    from lptn_cli import preset as presets
    from lptn_cli.photos import TRAINING
    from lptn_cli.signals import drain_on_signals, unwritable
    from lptn_cli.training import run
    from lptn_cli.training.report import TrainingReport

    published = losses_ is Losses.PUBLISHED
    _refuse(
        pairs, from_ or [], to_ or [], identity or [], restore or [], bool(guide or undo), published, resume
    )
    if pairs:
        load = partial(run.pairs, pairs, identity or [], restore or [])
    else:
        along, back = (name and name.value for name in (guide, undo))
        load = partial(run.groups, from_ or [], to_ or [], identity or [], along, back, published)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a reader that goes away is a stop like others
    with (
        drain_on_signals("keeping the state") as stop,
        TrainingReport(minutes, as_json=json_lines, stop=stop) as telling,
    ):
        made: Preset | None = None
        try:
            made = run.train(
                name,
                load,
                minutes=minutes,
                resume=resume,
                native_scale=native_scale,
                levels=levels,
                start=start,
                context=context,
                device=device,
                seed=seed,
                work=work or Path(TRAINING, name),
                to=output or presets.user_folder(),
                overwrite=overwrite,
                said={"description": description, "license": license},
                report=telling,
                stop=stop,
            )
        except StoppedError as error:
            telling.note(str(error))
    if made:
        _say_ready(made)
    if isinstance(telling.lost, BrokenPipeError):
        raise typer.Exit(128 + signal.SIGPIPE)
    if telling.lost:
        raise unwritable(telling.lost)
    if stop.signal:
        raise typer.Exit(128 + stop.signal)


def _refuse(
    pairs: Path | None,
    photos: list[Path],
    targets: list[Path],
    identity: list[Path],
    restore: list[Path],
    guided: bool,
    published: bool,
    resume: bool,
) -> None:
    """Raise UsageError for options of `lptn train` that do not go together."""
    if bool(pairs) == bool(photos or targets) or bool(photos) != bool(targets):
        again = "; --resume wants the options of the run again" if resume else ""
        raise UsageError("give either --pairs DIR, or --from DIR and --to DIR" + again)
    if pairs and (guided or published):
        raise UsageError("--guide, --undo and --losses are for --from and --to; pairs show what is wanted")
    if restore and not pairs:
        raise UsageError("--restore is for --pairs")
    if identity and published:
        raise UsageError("the losses of the paper know no photos to leave alone; leave --identity out")
    if guided and published:
        raise UsageError("the losses of the paper know no guide; leave --guide and --undo, or --losses, out")
    from lptn_cli.training.reading import require_apart

    require_apart(photos, {"--to": targets, "--identity": identity})


def evaluate(
    preset: Annotated[str, typer.Option("-p", "--preset", metavar="NAME|FILE", autocompletion=preset_names, help="The look to measure.")],
    photos: Annotated[list[Path] | None, typer.Option(parser=place, metavar="DIR", help="Folder of photos to retouch and judge; repeatable.")] = None,
    pairs: Annotated[Path | None, typer.Option(parser=place, metavar="DIR", help="Folder with input/ and target/.")] = None,
    held_back: Annotated[bool, typer.Option("--held-back", help="Only the photos that training holds back.")] = False,
    sheet: Annotated[Path | None, typer.Option(parser=place, metavar="FILE", help="Write before and after of up to 24 photos as one PNG.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --sheet.")] = False,
    device: Annotated[str, typer.Option("-d", "--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:  # fmt: skip
    """Measure a preset: lptn evaluate -p retouch --pairs edits/ --photos holidays/"""
    if not photos and not pairs:
        raise UsageError("nothing to measure; give --photos DIR, --pairs DIR or both")
    if sheet and sheet.suffix.lower() != ".png":
        raise UsageError(f"--sheet {sheet}: the picture is a PNG; let its name end in .png")
    if sheet and os.path.exists(sheet) and not overwrite:  # noqa: PTH110  never raises
        raise UsageError(f"--sheet {sheet} exists; replace it with --overwrite")
    from lptn_cli.training.evaluation import evaluate as measure
    from lptn_cli.training.report import Busy

    with Busy() as telling:
        figures = measure(
            preset, photos or [], pairs, held_back=held_back, sheet=sheet, device=device,
            note=telling.note, hear=telling.busy,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    for group, values in figures.items():
        for key, value in values.items():
            shares = isinstance(value, dict) and ", ".join(
                f"{name} {share:.0%}" for name, share in value.items()
            )
            typer.echo(f"{group:8} {key.replace('_', ' '):18} {shares or value}")
