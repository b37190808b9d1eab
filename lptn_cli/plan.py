"""Where results go: outputs are named, and every collision is refused before the first photo is decoded."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import string
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import overload

from lptn_cli.codecs.formats import EXTENSIONS, OUTPUT_SUFFIXES, SUFFIXES, WRITTEN_AS, Format
from lptn_cli.errors import UsageError
from lptn_cli.photos import Photo, shown
from lptn_cli.storage import Remote

TEMPLATE = "{dir}/{stem}{ext}"
FIELDS = ("dir", "stem", "ext", "preset", "n")
STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class Job:
    """One photo and the file it becomes. format None: that of the output's suffix, else what the input
    becomes by itself (formats.WRITTEN_AS)."""

    number: int  # 1-based, for {n}
    photo: Photo
    output: Path
    format: Format | None


class Jobs(Sequence[Job]):
    """Jobs of photos, each made when it is asked for: a million at once would take half a gigabyte more."""

    def __init__(
        self, photos: Sequence[Photo], make: Callable[[Photo, int], Job], numbers: Sequence[int]
    ) -> None:
        self.photos, self._make = photos, make
        self._numbers = numbers

    def where(self, keep: Callable[[Job], bool]) -> Jobs:
        return Jobs(self.photos, self._make, array("L", (job.number for job in self if keep(job))))

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> Job: ...
    @overload
    def __getitem__(self, place: slice) -> Jobs: ...
    def __getitem__(self, place: int | slice) -> Job | Jobs:
        if isinstance(place, slice):
            return Jobs(self.photos, self._make, self._numbers[place])
        return self.numbered(self._numbers[place])

    def numbered(self, number: int) -> Job:
        """The job of that number, whether or not it is among these."""
        return self._make(self.photos[number - 1], number)

    @property
    def whole(self) -> Jobs:
        """Those of all photos, of which these may be a part."""
        return Jobs(self.photos, self._make, range(1, len(self.photos) + 1))


@dataclass(frozen=True)
class Shard:
    """`--shard I/N`: one of N parts of the photos, 1-based, that processes do without knowing of each other.

    A photo's part follows from its path below the folder that was given, so that machines which see the
    archive at different places agree, and a photo stays in its part when others come or go.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Raises UsageError."""
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"--shard {shown(text)}: write I/N, the I-th of N parts, such as 1/4 to 4/4")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"shard-{self.index}-of-{self.count}"

    def holds(self, photo: Photo) -> bool:
        digest = hashlib.blake2b(os.fsencode(photo.relative.as_posix()), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index - 1


def output_folder(output: Path | None, preset: str) -> Path:
    return output if output is not None else Path("lptn-out", preset)


def looks_like_file(output: Path) -> bool:
    """Whether `-o` says one photo, by its suffix, and is no folder."""
    return output.suffix.lower() in OUTPUT_SUFFIXES and not os.path.isdir(output)  # noqa: PTH112


def plan(
    photos: Sequence[Photo],
    *,
    output: Path | None,
    template: str = TEMPLATE,
    format: Format | None = None,
    preset: str,
    single_file: bool,
    to_folder: bool = False,
) -> Jobs:
    """One job for each photo, in order; no two write the same file and none writes an input.

    output: `-o`, or None for lptn-out/<preset>. single_file: the only input is a file, so `-o` may be one,
    unless to_folder.
    template: `--name`, with FIELDS and their format specs; {ext} keeps the input's own spelling unless a
    format is asked or the input's is not written (HEIC, RAW). It must end in {ext} or in a photo's suffix,
    which then gives the format.
    Jobs of photos with a `problem` get their plain name and take part in no check: they are never written.
    Raises UsageError: bad template, a name outside the output folder, formats that disagree, a collision.
    """
    one_name = output is not None and not to_folder and looks_like_file(output)
    if output is not None and one_name and single_file:
        if template != TEMPLATE:
            raise UsageError(f"{shown(output)} and --name both name the output; give one of them")
        chosen: Format | None = _agreed(format, output.suffix, f"-o {shown(output)}")
        folder = output

        def make(photo: Photo, number: int) -> Job:
            return Job(number, photo, folder, chosen)

    else:
        if output is not None and one_name:
            raise UsageError(
                f"{shown(output)} is the name of one photo, but the input is not one file; give -o a folder"
            )
        folder = output_folder(output, preset)
        chosen = _check_template(template, format)
        own = functools.partial(_name, template, preset, EXTENSIONS[format] if format else None)

        def make(photo: Photo, number: int) -> Job:
            below = photo.relative if photo.problem else own(photo, number)
            return Job(number, photo, folder / below, chosen)

    jobs = Jobs(photos, make, range(1, len(photos) + 1))
    folders = refuse_twins(jobs)
    _refuse_inputs(jobs, folders)
    return jobs


def _agreed(format: Format | None, suffix: str, where: str) -> Format:
    """The format that a literal suffix asks for, once it is known not to contradict `--format`."""
    named = OUTPUT_SUFFIXES.get(suffix.lower())
    if named is None:
        raise UsageError(
            f"{where}: {shown(suffix)} is no format lptn writes; use {' '.join(OUTPUT_SUFFIXES)}"
        )
    if format is not None and format != named:
        raise UsageError(f"{where} asks for {named}, but --format for {format}; leave one of them out")
    return named


def _check_template(template: str, format: Format | None) -> Format | None:
    """The format all jobs get."""
    where = f"--name {shown(template)}"
    known = "the fields are " + " ".join(f"{{{name}}}" for name in FIELDS)
    last, tail = "", ""
    try:
        chunks = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"{where}: its braces do not match; {known}") from error
    for literal, name, spec, conversion in chunks:
        tail += literal
        if name is None:
            continue
        if name not in FIELDS or conversion or "{" in (spec or ""):
            raise UsageError(f"{where}: {{{shown(name)}}} cannot be filled in; {known}")
        if re.search(r"[0-9]{4}", spec or ""):
            raise UsageError(f"{where}: {{{name}:{spec}}} is wider than a file's name may be; try {{n:04d}}")
        if name == "ext" and tail.endswith("."):
            raise UsageError(f"{where}: {{ext}} has its own dot; write {{stem}}{{ext}}")
        last, tail = name, ""
    if last == "ext" and not tail:
        return format
    dot = tail.rfind(".")
    if dot < 0 or "/" in tail[dot:]:
        raise UsageError(f"{where} must end in {{ext}} or in a suffix such as .jpg; {known}")
    return _agreed(format, tail[dot:], where)


def _name(template: str, preset: str, extension: str | None, photo: Photo, number: int) -> PurePath:
    """The output below the output folder."""
    path = photo.relative
    folder = "" if path.parent == PurePath() else path.parent.as_posix()
    extension = _extension(path) if extension is None else extension
    where = f"--name {shown(template)}"
    try:
        text = template.format(dir=folder, stem=path.stem, ext=extension, preset=preset, n=number)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{where}: a field cannot be formatted so ({error}); try {{n:04d}}") from error
    if not folder and template.startswith("{dir"):
        text = text.lstrip("/")  # at the top {dir} is empty and its slash goes with it
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts:
        raise UsageError(f"{where}: {shown(text)} lies outside the output folder; use a name below it")
    if "\0" in text or text.endswith("/") or not name.name:
        raise UsageError(f"{where}: {shown(text)} is no file name; end it in {{stem}}{{ext}}")
    return PurePath(name)


def _extension(path: PurePath) -> str:
    """The suffix as it is spelled, or that of what a photo of a format that is not written becomes."""
    source = SUFFIXES.get(path.suffix.lower())
    if source is None or WRITTEN_AS[source] == source:
        return path.suffix
    return EXTENSIONS[WRITTEN_AS[source]]


def _sound(jobs: Jobs) -> Iterator[Job]:
    return (job for job in jobs if not job.photo.problem)


def refuse_twins(jobs: Jobs, spelled: Callable[[Path], str] = os.fspath) -> list[Path]:
    """Raise UsageError where two jobs write one file, or one needs a folder where another writes a file.

    spelled: what tells files apart; `folded` on disks for which names in upper and lower case are the same.
    Returns all the folders.
    """
    remedy = "tell them apart with --name, for example '{dir}/{stem}-{n}{ext}', or --exclude some"
    writers: dict[int, int] = {}  # number of a job by its output's hash, as the names would be 200 MB
    parents: dict[Path, int] = {}
    for job in _sound(jobs):
        name = spelled(job.output)
        number = writers.setdefault(hash(name), job.number)
        if number != job.number and spelled((other := jobs.numbered(number)).output) == name:
            pair = f"{shown(other.photo.path)} and {shown(job.photo.path)}"
            raise UsageError(f"{pair} would both be written to {shown(job.output)}; {remedy}")
        for parent in job.output.parents:
            if parent in parents:
                break
            parents[parent] = job.number
    for parent, number in parents.items():
        name = spelled(parent)
        writer = jobs.numbered(writers.get(hash(name), number))
        if writer.number != number and spelled(writer.output) == name:
            raise UsageError(
                f"{shown(writer.photo.path)} would be written to {shown(parent)}, which must be a folder "
                f"for {shown(jobs.numbered(number).photo.path)}; {remedy}"
            )
    return list(parents)


def folded(path: Path) -> str:
    """The same for names that macOS, exFAT or NTFS take for one."""
    return unicodedata.normalize("NFC", os.fspath(path)).casefold()


def _refuse_inputs(jobs: Jobs, folders: Sequence[Path]) -> None:
    """No output is an input, by its place or, where it exists, by its identity (links, folded case)."""
    real = functools.cache(os.path.realpath)
    used = {real(folder) for folder in folders}
    photos = [photo for photo in jobs.photos if not photo.problem]
    inputs = {
        (parent, photo.path.name): photo for photo in photos if (parent := real(photo.path.parent)) in used
    }
    there = {folder for folder in folders if os.path.lexists(folder)}
    existing: dict[tuple[int, int], int] = {}
    for job in _sound(jobs) if inputs or there else ():
        photo = inputs.get((real(job.output.parent), job.output.name))
        if photo is not None:
            raise _overwrites(job, photo)
        if job.output.parent in there and (identity := _identity(job.output)) is not None:
            existing[identity] = job.number
    for job in _sound(jobs) if existing else ():
        identity = _identity(job.photo.path)
        if identity in existing:
            raise _overwrites(jobs.numbered(existing[identity]), job.photo)


def _identity(path: Path) -> tuple[int, int] | None:
    if isinstance(path, Remote):
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _overwrites(job: Job, photo: Photo) -> UsageError:
    return UsageError(
        f"{shown(job.photo.path)} would be written to {shown(job.output)}, which is the input "
        f"{shown(photo.path)}; choose another folder with -o"
    )
