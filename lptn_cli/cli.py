"""The command line: parse, call, exit. Start here and follow `retouch` to `pipeline.retouch_one`.

Nothing heavy is imported at module level: `--help`, `--version`, `presets` and a dry run load neither torch nor cv2.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperCommand

from lptn_cli import __version__, cli_looks
from lptn_cli.codecs.formats import OUTPUT_SUFFIXES
from lptn_cli.errors import LptnError, UsageError
from lptn_cli.signals import flush_output, heard, open_closed_streams, unwritable

if TYPE_CHECKING:
    from lptn_cli.report import Listing


class _Retouch(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--ray" in args:  # its address may be left out
            from lptn_cli.cluster import with_address

            args = with_address(args)
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="lptn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Give a whole folder of photos a new look.",
)


LOOK, INPUT, OUTPUT = "Look", "Input", "Output"
SPEED, TELL = "Performance", "Reporting"
Strength = Annotated[
    float | None,
    typer.Option("-s", "--strength", min=0, max=1.5, callback=cli_looks.finite, rich_help_panel=LOOK, show_default="the preset's",
                 help="0 = the photo itself, 1 = the preset's look."),
]  # fmt: skip
PresetName = Annotated[
    str,
    typer.Option("-p", "--preset", envvar="LPTN_PRESET", autocompletion=cli_looks.preset_names, metavar="NAME|FILE",
                 rich_help_panel=LOOK, help="The look: a preset's name, or the path of its TOML file."),
]  # fmt: skip


@app.command(cls=_Retouch)
def retouch(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT...", help="Files, folders, or - for one image on stdin.", show_default=False),
    ] = None,
    preset: PresetName = "retouch",
    strength: Strength = None,
    light: Annotated[float | None, typer.Option(min=0, max=1.5, callback=cli_looks.finite, rich_help_panel=LOOK, show_default="--strength", help="Strength for brightness alone.")] = None,
    color: Annotated[float | None, typer.Option(min=0, max=1.5, callback=cli_looks.finite, rich_help_panel=LOOK, show_default="--strength", help="Strength for colour alone.")] = None,
    files_from: Annotated[str | None, typer.Option(metavar="FILE", rich_help_panel=INPUT, help="Read paths from FILE, one a line; - is stdin. Relative ones keep their folders below -o.")] = None,
    null: Annotated[bool, typer.Option("-0", "--null", rich_help_panel=INPUT, help="Paths in --files-from end in NUL.")] = False,
    include: Annotated[list[str] | None, typer.Option(metavar="GLOB", rich_help_panel=INPUT, help="Only paths below the folder that match; repeatable.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="GLOB", rich_help_panel=INPUT, help="Not paths that match; repeatable.")] = None,
    no_recursive: Annotated[bool, typer.Option("--no-recursive", rich_help_panel=INPUT, help="Do not walk into folders below.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, rich_help_panel=INPUT, help="Take the first N photos only.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", rich_help_panel=INPUT, help="Do the I-th of N parts only; for array jobs.")] = None,
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="DIR|FILE|-", rich_help_panel=OUTPUT, show_default="./lptn-out/<preset>/", help="Where results go; - is stdout, for one image.")] = None,
    name: Annotated[str, typer.Option(metavar="TEMPLATE", rich_help_panel=OUTPUT, help="Name of each result; fields: dir stem ext suffix parent preset n.")] = "{dir}/{stem}{ext}",
    format: Annotated[Literal["auto", "jpeg", "jpg", "png", "tiff", "tif", "webp", "avif"], typer.Option(rich_help_panel=OUTPUT, help="auto = the input's.")] = "auto",
    quality: Annotated[int, typer.Option(min=1, max=100, rich_help_panel=OUTPUT, help="Of JPEG, WebP and AVIF.")] = 95,
    subsampling: Annotated[Literal["auto", "444", "422", "420"], typer.Option(rich_help_panel=OUTPUT, help="Of JPEG and AVIF; auto = the input's.")] = "auto",
    depth: Annotated[Literal["auto", "8", "16"], typer.Option(rich_help_panel=OUTPUT, help="Bits a channel; auto = the input's, where the format can.")] = "auto",
    metadata: Annotated[Literal["keep", "no-gps", "none"], typer.Option(rich_help_panel=OUTPUT, help="no-gps takes GPS positions out, not places that are named in words; none keeps the colour profile and the orientation only.")] = "keep",
    keep_times: Annotated[bool, typer.Option("--keep-times", rich_help_panel=OUTPUT, help="Give each result its input's modification time.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", rich_help_panel=OUTPUT, help="Replace files that lptn did not write.")] = False,
    compare: Annotated[bool, typer.Option("--compare", rich_help_panel=OUTPUT, help="Also write compare.html, which shows before and after under a slider.")] = False,
    device: Annotated[str, typer.Option("-d", "--device", metavar="auto|cpu|cuda[:N,...]", rich_help_panel=SPEED, help="Where looks are computed.")] = "auto",
    precision: Annotated[Literal["auto", "float32"], typer.Option(rich_help_panel=SPEED, help="On a GPU; auto = convolutions in half precision, which moves a value in a thousand by over a level of 255.")] = "auto",
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, max=256, rich_help_panel=SPEED, show_default="auto", help="Photos in work at once.")] = None,
    ray: Annotated[str | None, typer.Option("--ray", metavar="[ADDRESS]", rich_help_panel=SPEED, show_default=False, help="On the machines of a Ray cluster: auto, HOST:PORT; without an address Ray is started here.")] = None,
    max_megapixels: Annotated[float, typer.Option(min=0.001, callback=cli_looks.finite, rich_help_panel=SPEED, help="Refuse larger photos before decoding them.")] = 250,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", rich_help_panel=TELL, help="Show what would be written, and stop.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", rich_help_panel=TELL, help="JSON Lines on stdout.")] = False,
    print_paths: Annotated[bool, typer.Option("--print", rich_help_panel=TELL, help="Written paths on stdout, one a line.")] = False,
    print0: Annotated[bool, typer.Option("--print0", rich_help_panel=TELL, help="Written paths on stdout, each ending in NUL.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", rich_help_panel=TELL, help="Failures only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", rich_help_panel=TELL, help="A line for every photo.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", rich_help_panel=TELL, help="No bar.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", rich_help_panel=TELL, help="Stop at the first failure.")] = False,
    max_errors: Annotated[int | None, typer.Option(min=1, rich_help_panel=TELL, help="Stop after N failures.")] = None,
) -> None:  # fmt: skip
    """Give photos a preset's look: lptn retouch photos/ -o out/ -p day-to-night"""
    from lptn_cli import batch, report
    from lptn_cli import preset as presets
    from lptn_cli.destination import Destination, Engine
    from lptn_cli.plan import Shard
    from lptn_cli.settings import Settings, check_depth

    chosen = presets.find(preset)
    settings = Settings(
        preset=chosen,
        strength=chosen.strength if strength is None else strength,
        light=light,
        color=color,
        quality=quality,
        subsampling=subsampling,
        depth="auto" if depth == "auto" else 8 if depth == "8" else 16,
        metadata=metadata,
        keep_times=keep_times,
        overwrite=overwrite,
        max_megapixels=max_megapixels,
    )
    listing = _listing(json_lines, print_paths, print0, to_stdout=output == "-")
    if output == "":
        raise UsageError("-o is empty; is a shell variable unset?")
    part = Shard.parse(shard) if shard is not None else None
    destination = Destination(output, chosen.name, part)
    destination.refuse(keep_times=keep_times, compare=compare)
    engine = Engine(device, precision == "auto", jobs, ray)
    engine.refuse(inputs or [], output)
    telling = report.Report(listing, quiet=quiet, verbose=verbose, bar=not no_progress)
    found = batch.find(
        inputs or [],
        files_from=files_from,
        null=null,
        recursive=not no_recursive,
        include=include or (),
        exclude=exclude or (),
        limit=limit,
        destination=destination,
        note=telling.line,
    )
    jobs_planned = batch.plan(found, destination, name, OUTPUT_SUFFIXES.get(f".{format}"))  # auto: None
    check_depth(settings.depth, jobs_planned)
    if dry_run:
        raise typer.Exit(batch.show_plan(jobs_planned, settings, destination, telling))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a run finishes its photos before it leaves
    code = batch.run(
        jobs_planned,
        settings,
        destination,
        telling,
        engine=engine,
        max_errors=1 if fail_fast else max_errors,
        compare=compare,
    )
    raise typer.Exit(code)


def _listing(json_lines: bool, print_paths: bool, print0: bool, *, to_stdout: bool) -> Listing:
    """What goes to stdout. Raises UsageError where two things would, or where a terminal would get an image."""
    options: dict[Listing, bool] = {"json": json_lines, "print": print_paths, "print0": print0}
    asked = [name for name, on in options.items() if on]
    if len(asked) > 1 or (asked and to_stdout):
        both = [f"--{name}" for name in asked] + (["-o -"] if to_stdout else [])
        raise UsageError(f"{' and '.join(both)} would both use stdout; choose one")
    if to_stdout and sys.stdout.isatty():
        raise UsageError(
            "-o - writes an image to stdout, which is a terminal; redirect it: ... -o - > photo.jpg"
        )
    return asked[0] if asked else "nothing"


app.command(name="presets")(cli_looks.show_presets)
app.command(name="import")(cli_looks.import_checkpoint)
app.command()(cli_looks.train)
app.command()(cli_looks.evaluate)
app.command()(cli_looks.doctor)
app.command()(cli_looks.bench)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"lptn {__version__}")
        raise typer.Exit


def _show_manual(context: typer.Context, asked: bool) -> None:
    if asked:
        from lptn_cli.manpage import page

        typer.echo(page(context.command), nl=False)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")] = False,
    man: Annotated[bool, typer.Option("--man", callback=_show_manual, is_eager=True, hidden=True)] = False,
) -> None:  # fmt: skip
    """Give a whole folder of photos a new look."""


def main() -> None:
    """The `lptn` command: run, and turn every error of ours into one line and its exit code."""
    # OpenBLAS's threads wait by spinning and take the cores from torch and the codecs: measured on two cores, a
    # folder of 4K photos takes 6.4 s without this and 5.0 s with it. Read when NumPy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    open_closed_streams()
    for number in (*heard(), signal.SIGPIPE):
        signal.signal(number, _leave)
    try:
        try:
            app()
        except OSError as error:
            if error.filename is not None:  # a defect: no error of a file should come here
                raise
            raise unwritable(error) from error
        finally:
            flush_output()
    except LptnError as error:
        print(f"lptn: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    if number == signal.SIGPIPE:
        signal.signal(number, signal.SIG_IGN)  # once is enough: what is still buffered goes nowhere
    elif _imports(frame):
        os._exit(128 + number)  # torch loads NumPy from C++, which would swallow SystemExit or die of it
    sys.exit(128 + number)


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is going on: nothing is begun then that would have to be cleared away."""
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
