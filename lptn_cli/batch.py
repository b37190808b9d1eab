"""One `lptn retouch` from its inputs to its exit code: find, plan, then show the plan or run it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lptn_cli import __version__, photos
from lptn_cli.atomic import require_writable, sweep
from lptn_cli.codecs.formats import OUTPUT_SUFFIXES, SUFFIXES
from lptn_cli.cores import CORES
from lptn_cli.destination import Destination, Engine
from lptn_cli.discover import discover, is_folder
from lptn_cli.errors import NoPhotosError, OutputError, UsageError, WriteError
from lptn_cli.manifest import Manifest
from lptn_cli.photos import Photo, shown
from lptn_cli.plan import STDOUT, Job, Jobs, folded, refuse_twins
from lptn_cli.plan import plan as named
from lptn_cli.report import Outcome, Report
from lptn_cli.signals import drain_on_signals
from lptn_cli.storage import Remote, exists, located

if TYPE_CHECKING:
    from lptn_cli.codecs.formats import Format
    from lptn_cli.preset import Preset
    from lptn_cli.settings import Settings
    from lptn_cli.translate import Retoucher

MAX_WORKERS = 16
# Of images that lptn does not write: -o names a file by such a suffix, hardly a folder.
OTHER_SUFFIXES = (
    *(".bmp", ".gif", ".jp2", ".psd", ".exr", ".hdr", ".ppm", ".tga"),
    *(suffix for suffix in SUFFIXES if suffix not in OUTPUT_SUFFIXES),
)


def find(
    inputs: Sequence[str],
    *,
    files_from: str | None,
    null: bool,
    recursive: bool,
    include: Sequence[str],
    exclude: Sequence[str],
    limit: int | None,
    destination: Destination,
    note: Callable[[str], None] = lambda _: None,
) -> tuple[list[Photo], bool]:
    """The photos to do, and whether the inputs were one single file; `note` hears of folders passed over.

    Raises UsageError, NoPhotosError.
    """
    if "-" in inputs:
        if len(inputs) > 1 or files_from:
            raise UsageError("- reads one image from stdin; it cannot be mixed with other inputs")
        if sys.stdin.isatty():
            raise UsageError("- reads an image from stdin, which is a terminal; pipe one in: ... < photo.jpg")
        return [photos.from_stdin(sys.stdin.buffer.read())], True
    if null and not files_from:
        raise UsageError("-0 says how --files-from is to be read; give --files-from too")
    if not inputs and not files_from:
        raise UsageError("nothing to do; name files or folders, for example: lptn retouch photos/ -o out/")
    if "" in inputs:
        raise UsageError("one of the inputs is empty; is a shell variable unset?")
    paths = [located(text) for text in inputs]
    passed_over: list[Path] = []
    found = discover(
        paths,
        recursive=recursive,
        include=include,
        exclude=exclude,
        limit=limit,
        skip=destination.skipped,
        mirrored=photos.listed(files_from, null=null) if files_from else (),
        is_result=destination.earlier_results(),
        is_named_result=destination.results_by_default(),
        results_in=lambda folder: Manifest.peek(folder).knows,
        passed_over=passed_over,
    )
    for folder in passed_over:
        note(f"results of an earlier run in {shown(folder)} are passed over; to retouch them name it alone")
    if not found:
        where = ", ".join(map(shown, paths)) or f"the list {files_from}"
        raise NoPhotosError(f"no photos in {where}")
    return found, len(inputs) == 1 and not files_from and not is_folder(paths[0])


def plan(
    found: tuple[list[Photo], bool], destination: Destination, template: str, format: Format | None
) -> Jobs:
    """A job for each photo. Raises UsageError for bad templates and for names that collide."""
    todo, single_file = found
    if destination.is_stdout:
        if len(todo) != 1:
            raise UsageError(f"-o - writes one image to stdout, but there are {len(todo)} photos")
        return Jobs(todo, lambda photo, number: Job(number, photo, STDOUT, format), [1])
    if single_file:
        _refuse_unknown_suffix(destination)
    jobs = named(
        todo,
        output=destination.path,
        template=template,
        format=format,
        preset=destination.preset,
        single_file=single_file,
        to_folder=destination.is_folder,
    )
    shard = destination.shard  # after the plan: collisions and {n} are those of the whole
    return jobs.where(lambda job: shard.holds(job.photo)) if shard else jobs


def _refuse_unknown_suffix(destination: Destination) -> None:
    """Raise UsageError for `-o photo.gif`, which would otherwise become a folder."""
    path = destination.path
    if not path or destination.is_folder or is_folder(path):
        return
    if path.suffix.lower() in OTHER_SUFFIXES:
        formats = " ".join(OUTPUT_SUFFIXES)
        raise UsageError(f"-o {shown(path)}: lptn writes {formats}; for a folder of that name end it in /")


def show_plan(jobs: Jobs, settings: Settings, destination: Destination, report: Report) -> int:
    """A dry run: what would be done with each photo, on stdout. Nothing is written. Returns the exit code."""
    folder = destination.manifest_folder(jobs)
    manifest = Manifest.peek(folder) if folder else None
    if manifest and not settings.overwrite:
        manifest.refuse_results_of_others(jobs)
    for job in jobs:
        state = _state(job, settings, manifest)
        report.plan(job, state)
        report.counts.failed += state in ("unreadable", "exists")
    return report.counts.exit_code


def _state(job: Job, settings: Settings, manifest: Manifest | None) -> str:
    if not photos.readable(job.photo):
        return "unreadable"
    if manifest and manifest.up_to_date(job, settings.key(job), listed=True):
        return "up-to-date"
    if settings.overwrite or job.output == STDOUT or not exists(job.output, listed=True):
        return "write"
    return "write" if manifest and manifest.owns(job.output) else "exists"


def run(
    jobs: Jobs,
    settings: Settings,
    destination: Destination,
    report: Report,
    *,
    engine: Engine,
    max_errors: int | None,
    compare: bool = False,
) -> int:
    """Do all that is not up to date. Returns the exit code; raises StartError when the run cannot start.

    compare: also write pictures before and after, and a page that shows them (gallery).
    """
    settings.preset.read_weights()  # missing or damaged weights end the run before its first photo
    folder = destination.manifest_folder(jobs)
    if folder is None:
        if compare:
            raise UsageError("--compare writes a page for a folder of results; give a folder with -o")
        _refuse_unwritable(jobs[0].output)
        return _run(jobs, settings, None, report, None, engine, max_errors)
    if compare:
        from lptn_cli.gallery import PICTURES, require_own_page

        require_own_page(folder, settings)
        if among := next((job for job in jobs if job.output.is_relative_to(folder / PICTURES)), None):
            fact = f"{shown(among.photo.path)} would go among the pictures of --compare, {PICTURES}/"
            raise UsageError(f"{fact}; give its folder another name, or leave --compare out")
    with Manifest.open(folder, str(destination.shard or "")) as manifest:
        if manifest.folds_case:
            refuse_twins(jobs.whole, folded)
        if not settings.overwrite:
            manifest.refuse_results_of_others(jobs)
        if not isinstance(folder, Remote):
            for each in {folder, folder / photos.PARTS, *(job.output.parent for job in jobs)}:
                sweep(each)
        code = _run(jobs, settings, manifest, report, folder, engine, max_errors)
        if compare:
            manifest.reload()
        done = [job for job in jobs if manifest.up_to_date(job, settings.key(job))] if compare else []
    if compare and not report.counts.signal:
        _write_gallery(folder, done, settings, report)
    return code


def _refuse_unwritable(output: Path) -> None:
    """Sweep the folder of the one output, if it has one; raise OutputError when that takes no file."""
    if output == STDOUT or isinstance(output, Remote):
        return
    try:
        require_writable(output.parent)
        sweep(output.parent)
    except WriteError as error:
        raise OutputError(f"{shown(output.parent)}: {error}") from error


def _write_gallery(folder: Path, done: Sequence[Job], settings: Settings, report: Report) -> None:
    from lptn_cli.gallery import write_gallery

    try:
        report.line(f"before and after: {shown(write_gallery(folder, done, settings))}")
    except WriteError as error:
        raise OutputError(f"cannot write the page that compares: {error}") from None


def _run(
    jobs: Jobs,
    settings: Settings,
    manifest: Manifest | None,
    report: Report,
    folder: Path | None,
    engine: Engine,
    max_errors: int | None,
) -> int:
    done = jobs[:0]
    if manifest and not manifest.is_empty:
        done = jobs.where(lambda job: manifest.up_to_date(job, settings.key(job), listed=True))
        for job in done if settings.keep_times else ():
            manifest.keep_time(job, settings.key(job))
    numbers = {job.number for job in done}
    todo = jobs.where(lambda job: job.number not in numbers) if numbers else jobs
    with report:
        preset = settings.preset
        looks = _looks(preset, engine) if todo and engine.ray is None else []
        ready = ",".join(str(look.device) for look in looks) or engine.device
        report.start(len(jobs), version=__version__, preset=preset.name, sha256=preset.sha256, device=ready)
        for note in dict.fromkeys(look.note for look in looks if look.note):
            report.line(note)
        for job in done:
            report.photo(Outcome(job, "up-to-date"))
        if todo and engine.ray is not None:
            _retouch_on_ray(todo, settings, folder, report, engine, engine.ray, max_errors)
        elif todo:
            _retouch(todo, looks, settings, manifest, report, engine.workers, max_errors)
        report.finish(f" -> {shown(folder)}" if folder else "")
    return report.counts.exit_code


def _looks(preset: Preset, engine: Engine) -> list[Retoucher]:
    from lptn_cli.translate import Retoucher

    return [Retoucher(preset, name, half=engine.half, side_by_side=True) for name in engine.device.split(",")]


def _retouch_on_ray(
    todo: Sequence[Job],
    settings: Settings,
    folder: Path | None,
    report: Report,
    engine: Engine,
    address: str,
    max_errors: int | None,
) -> None:
    from lptn_cli.cluster import Cluster, connected

    # Ray has handlers of its own, which must not be ours while it starts
    with connected(address) as ray, drain_on_signals("finishing the photos in work") as stop:
        cluster = Cluster(ray, settings, folder, report, engine=engine)
        cluster.retouch_all(todo, stop=stop, max_errors=max_errors)
        cluster.close()
    report.counts.signal = stop.signal


def _retouch(
    todo: Sequence[Job],
    looks: Sequence[Retoucher],
    settings: Settings,
    manifest: Manifest | None,
    report: Report,
    workers: int | None,
    max_errors: int | None,
) -> None:
    from lptn_cli.develop import Devices
    from lptn_cli.pipeline import retouch_all

    threads = workers or min(CORES + len(looks), MAX_WORKERS)
    with drain_on_signals("finishing the photos in work") as stop:
        retouch_all(
            todo, Devices(looks), settings, manifest, report,
            workers=threads, stop=stop, max_errors=max_errors,
        )  # fmt: skip
    report.counts.signal = stop.signal
