"""What is done already: one JSON line for each finished photo, in the output folder.

    OUT/.lptn-manifest.jsonl           the one file of most runs
    OUT/.lptn-manifest.d/PART.jsonl    one a shard or worker, as network disks mix appends
    OUT/.lptn-manifest.d/...           in a bucket nothing else (parts)

All are merged when read: of several lines for one output the latest wins.

Lines are only ever appended, later ones win, and what does not parse is passed over, so a torn line costs one
photo at most. Each open manifest holds a shared lock (flock); compacting takes the exclusive one, so a run
never appends to a file that another has just replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from lptn_cli.atomic import await_disk, reason
from lptn_cli.discover import is_folder, unsigned
from lptn_cli.errors import OutputError, UsageError, WriteError
from lptn_cli.manifest_files import Tails, is_at, load_all, load_to_append
from lptn_cli.noted import Noted, line_of
from lptn_cli.parts import Parts
from lptn_cli.photos import MANIFEST as NAME
from lptn_cli.photos import PARTS, Photo, shown
from lptn_cli.plan import Job, Jobs
from lptn_cli.storage import Entry, Remote, explained, file_status, located

_CLOCK = 2_000_000_000  # ns; FAT keeps times to two seconds, network disks may round later
_CLOCKS = 900_000_000_000  # ns; ours and a bucket's: S3 refuses a request that is 15 minutes off


class Manifest:
    """The finished photos of one output folder. Threads may share it; several processes may have it open."""

    def __init__(
        self,
        folder: Path,
        entries: dict[str, Noted],
        path: Path | None = None,
        descriptor: int | None = None,
        parts: Parts | None = None,
    ) -> None:
        self._folder = folder
        self._entries = entries
        self._path, self._descriptor = path, descriptor
        self._parts = parts
        self._torn = False
        self._lock, self._reloading = threading.Lock(), threading.Lock()
        self._tails = Tails(folder)

    @classmethod
    def open(cls, folder: Path, part: str = "", *, blank: bool = False) -> Manifest:
        """The folder's manifest, made with the folder where there is none. Raises OutputError.

        part: whose lines these are, where writers on several machines share the folder. In a bucket each
        writer has a part in any case. blank: what others noted is read when first asked for, with `reload`.
        """
        if isinstance(folder, Remote):
            try:
                return cls(folder, {} if blank else load_all(folder), parts=Parts(folder))
            except (OSError, WriteError) as error:
                why = explained(error) if isinstance(error, OSError) else error
                raise OutputError(f"{folder}: {why}") from error
        path = folder / PARTS / f"{part}.jsonl" if part else folder / NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            entries, descriptor = load_to_append(path)
            try:
                if (folder / PARTS).is_dir():
                    (folder / NAME).touch()  # marks the folder as one of results
                    entries = entries if blank else load_all(folder)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "")
            except OSError:
                os.close(descriptor)
                raise
        except FileExistsError as error:
            fact = "is a file" if folder.exists() else "is a link that leads nowhere"
            raise OutputError(f"{shown(folder)} {fact}; choose another folder with -o") from error
        except OSError as error:
            fact, _ = reason(error)
            raise OutputError(f"{shown(folder)}: {fact}; choose another folder with -o") from error
        return cls(folder, entries, path, descriptor)

    @classmethod
    def peek(cls, folder: Path) -> Manifest:
        """The same for a dry run: only read, nothing is made, and one that cannot be read is empty."""
        entries: dict[str, Noted] = {}
        with contextlib.suppress(OSError):
            entries = load_all(folder)
        return cls(folder, entries)

    def up_to_date(self, job: Job, settings: str, *, listed: bool = False) -> bool:
        """Whether the output is there at its recorded size, made from this very input with these settings.

        listed: a bucket may be asked for whole folders, for jobs that come folder by folder.
        """
        entry = self._entries.get(self._key(job.output))
        photo = job.photo
        return (
            entry is not None
            and not photo.problem
            and entry.input == _place(photo.path)
            and (entry.size, entry.mtime_ns, entry.settings) == (photo.size, photo.mtime_ns, settings)
            and (found := file_status(job.output, listed=listed)) is not None
            and entry.came(found.st_size, found.st_mtime_ns)
        )

    def owns(self, output: Path) -> bool:
        """Whether the output is a file that lptn wrote and nobody has changed since."""
        entry = self._entries.get(self._key(output))
        found = file_status(output) if entry else None
        clock = _CLOCKS if isinstance(output, Remote) else _CLOCK
        return (
            entry is not None
            and found is not None
            and entry.describes(found.st_size, found.st_mtime_ns, clock)
        )

    @property
    def is_empty(self) -> bool:
        return not self._entries

    @property
    def folds_case(self) -> bool:
        """Whether a.jpg and A.jpg are one file in the folder, as on macOS and on memory cards."""
        return not isinstance(self._folder, Remote) and (self._folder / NAME.upper()).exists()

    def knows(self, output: Path) -> bool:
        """Whether lptn wrote a file of that name, whatever has become of it."""
        return self._key(output) in self._entries

    def refuse_results_of_others(self, jobs: Jobs) -> None:
        """Raise UsageError for an output that was made from a photo which is not of this run, or from another
        one on stdin. Photos that were moved or copied are known again; one that was deleted, in a folder that
        is still there, gives its result up."""
        ours: _Photos | None = None
        for job in () if self.is_empty else jobs:
            if job.photo.data is not None and self.owns(job.output):
                raise UsageError(
                    f"{shown(job.output)} is the result of an earlier photo from stdin; name this one's with "
                    "-o FILE, or replace it with --overwrite"
                )
            other = self._result_of_another(job)
            if other is None or job.photo.problem:
                continue
            ours = ours or _Photos(jobs.photos)
            if not ours.have(other):
                gone = "" if _is_there(other.input) else ", which is not there now"
                raise UsageError(
                    f"{shown(job.photo.path)} would replace {shown(job.output)}, the result of "
                    f"{shown(other.input)}{gone}; choose another folder with -o, tell them apart with "
                    "--name, or replace it with --overwrite"
                )

    def _result_of_another(self, job: Job) -> Noted | None:
        """What is noted of an output that is there, made from another photo, unless that was deleted."""
        entry = self._entries.get(self._key(job.output))
        if entry is None or entry.input == _place(job.photo.path):
            return None
        deleted = not _is_there(entry.input) and is_folder(Path(entry.input).parent)
        return entry if not deleted and self.owns(job.output) else None

    def reload(self) -> None:
        """See what other runs on the same folder have finished meanwhile."""
        with contextlib.suppress(OSError), self._reloading:
            remote = isinstance(self._folder, Remote)
            entries = load_all(self._folder) if remote else self._tails.added()
            with self._lock:
                for key, entry in entries.items():
                    if key not in self._entries or self._entries[key].noted <= entry.noted:
                        self._entries[key] = entry

    def record(self, job: Job, settings: str, status: os.stat_result | Entry) -> None:
        """Note the photo as finished: `status` is that of its output, which is about to be put in place.

        Should it never get there, the photo is done again, and what it was to replace is still known for
        ours; were it noted afterwards, an output that lptn wrote could be taken for somebody else's. Raises
        WriteError.
        """
        photo = job.photo
        key = self._key(job.output)
        try:
            made = (key, status.st_size, status.st_mtime_ns)
            source = (_place(photo.path), photo.size, photo.mtime_ns)
            old = self._entries.get(key)
            before = self._there(job.output, old)
            now = max(time.time_ns(), old.noted + 1 if old else 0)  # clocks are set back
            entry = Noted(*made, *source, settings, now, *before)
            if self._parts:
                self._parts.append(line_of(entry))
            with self._lock:
                descriptor = None if self._parts else self._append(line_of(entry))
                self._entries[key] = entry
            if descriptor is not None:
                await_disk(descriptor)  # of several threads at once: a slow disk takes their lines together
        except OSError as error:
            fact, remedy = reason(error)
            raise WriteError(f"cannot be noted as done, so it was not written: {fact}; {remedy}") from error

    @staticmethod
    def _there(output: Path, old: Noted | None) -> tuple[int, int] | tuple[()]:
        """Size and time of the result that is there and that `old` tells of: its own or, where it never came,
        of the one that it was to replace."""
        found = file_status(output) if old else None
        if old is None or found is None or old.came(found.st_size, found.st_mtime_ns):
            return (old.output_size, old.output_mtime_ns) if old else ()
        return old.before_size, old.before_mtime_ns

    def keep_time(self, job: Job, settings: str) -> None:
        """Give a finished output of ours its input's time, if known and another. Raises OutputError."""
        found = file_status(job.output) if self.owns(job.output) else None
        time_ns = job.photo.mtime_ns
        if found is None or not time_ns or abs(found.st_mtime_ns - time_ns) <= _CLOCK:
            return
        try:
            self.record(job, settings, Entry(job.output.name, False, found.st_size, time_ns))
            os.utime(job.output, ns=(time_ns, time_ns))
        except (OSError, WriteError) as error:
            why = reason(error)[0] if isinstance(error, OSError) else error
            raise OutputError(f"{shown(job.output)} cannot be given its time: {why}") from error

    def close(self) -> None:
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None
            if self._parts:
                self._parts.close()
            self._parts = None

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _key(self, output: Path) -> str:
        return os.path.relpath(output, self._folder)

    def _append(self, line: bytes) -> int:
        """One write of the whole line: with O_APPEND, lines of several processes do not mix. Returns the
        descriptor that it went to."""
        if self._descriptor is None:
            raise ValueError("this manifest is closed or was opened for reading only")
        if self._path and not is_at(self._descriptor, self._path):  # the disk was taken away, or the folder
            raise FileNotFoundError(errno.ENOENT, "")
        line = b"\n" + line if self._torn else line
        self._torn = True  # until the whole line is known to be there
        if os.write(self._descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, "")
        self._torn = False
        return self._descriptor


class _Photos:
    """The photos of a run, known by where they are; where they were moved by size and time, and where they
    were copied by size and a time since then."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        self._places = {os.path.realpath(_place(photo.path)) for photo in photos}
        self._times: dict[int, list[int]] = {}  # by size
        for photo in photos:
            self._times.setdefault(photo.size, []).append(photo.mtime_ns)

    def have(self, noted: Noted) -> bool:
        """Whether the one that is noted is among them."""
        if os.path.realpath(noted.input) in self._places:
            return True
        times = () if _is_there(noted.input) else self._times.get(noted.size, ())
        return any(abs(time - noted.mtime_ns) <= _CLOCK or time > noted.noted for time in times)


def _is_there(place: str) -> bool:
    """Whether a photo is still at its `_place`; a URL is taken for one that is."""
    return isinstance(located(place), Remote) or os.path.lexists(place)


def _place(path: Path) -> str:
    """What a photo is known by: its absolute path, or its URL without what signs it."""
    path = unsigned(path)
    return str(path) if isinstance(path, Remote) else os.path.abspath(path)  # noqa: PTH100  `..` resolved
