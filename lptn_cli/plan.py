"""Where results go: outputs are named, and every collision is refused before the first photo is decoded."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from lptn_cli.codecs.formats import EXTENSIONS, OUTPUT_SUFFIXES, Format
from lptn_cli.errors import UsageError
from lptn_cli.naming import NUMBERED, TEMPLATE, agreed, checked, named, telling_apart
from lptn_cli.photos import Photo, shown
from lptn_cli.storage import Remote

STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class Job:
    """One photo and the file it becomes. format None: that of the output's suffix, else what the input
    becomes by itself (formats.WRITTEN_AS)."""

    number: int  # 1-based, for {n}
    photo: Photo
    output: Path
    format: Format | None

    @property
    def written_as(self) -> Format | None:
        """The format asked for, else that of the output's suffix; None: what the photo becomes by itself."""
        return self.format or OUTPUT_SUFFIXES.get(self.output.suffix.lower())


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
    template: `--name`, as naming.py says.
    Jobs of photos with a `problem` get their plain name and take part in no check: they are never written.
    Raises UsageError: bad template, a name outside the output folder, formats that disagree, a collision.
    """
    one_name = output is not None and not to_folder and looks_like_file(output)
    if output is not None and one_name and single_file:
        if template != TEMPLATE:
            raise UsageError(f"{shown(output)} and --name both name the output; give one of them")
        chosen: Format | None = agreed(format, output.suffix, f"-o {shown(output)}")
        folder = output

        def make(photo: Photo, number: int) -> Job:
            return Job(number, photo, folder, chosen)

    else:
        if output is not None and one_name:
            raise UsageError(
                f"{shown(output)} is the name of one photo, but the input is not one file; give -o a folder"
            )
        folder = output_folder(output, preset)
        chosen = checked(template, format)
        own = functools.partial(named, template, preset, EXTENSIONS[format] if format else None)

        def make(photo: Photo, number: int) -> Job:
            below = photo.relative if photo.problem else own(photo, number)
            return Job(number, photo, folder / below, chosen)

    jobs = Jobs(photos, make, range(1, len(photos) + 1))
    folders = refuse_twins(jobs)
    _refuse_inputs(jobs, folders)
    return jobs


def _sound(jobs: Jobs) -> Iterator[Job]:
    return (job for job in jobs if not job.photo.problem)


def refuse_twins(jobs: Jobs, spelled: Callable[[Path], str] = os.fspath) -> list[Path]:
    """Raise UsageError where two jobs write one file, or one needs a folder where another writes a file.

    spelled: what tells files apart; `folded` on disks for which names in upper and lower case are the same.
    Returns all the folders.
    """
    remedy = "tell them apart with --name, for example '%s', or --exclude some"
    writers: dict[int, int] = {}  # number of a job by its output's hash, as the names would be 200 MB
    parents: dict[Path, int] = {}
    for job in _sound(jobs):
        name = spelled(job.output)
        number = writers.setdefault(hash(name), job.number)
        if number != job.number and spelled((other := jobs.numbered(number)).output) == name:
            extension = EXTENSIONS[job.format] if job.format else None
            template = telling_apart([other.photo, job.photo], extension)
            pair = f"{shown(other.photo.path)} and {shown(job.photo.path)}"
            raise UsageError(f"{pair} would both be written to {shown(job.output)}; {remedy % template}")
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
                f"for {shown(jobs.numbered(number).photo.path)}; {remedy % NUMBERED}"
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
