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
import fcntl
import itertools
import os
import stat
import threading
import time
from pathlib import Path
from types import TracebackType

from lptn_cli.atomic import reason, write_atomic
from lptn_cli.errors import OutputError, WriteError
from lptn_cli.noted import Noted, latest, line_of
from lptn_cli.parts import Parts, read_parts
from lptn_cli.photos import MANIFEST as NAME
from lptn_cli.photos import PARTS, shown
from lptn_cli.plan import Job
from lptn_cli.storage import Entry, Remote, explained, file_status, forget_listings, located

_SPARE_LINES = 1000  # superseded lines beyond as many as live ones that are worth a rewrite
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
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, part: str = "", *, blank: bool = False) -> Manifest:
        """The folder's manifest, made with the folder where there is none. Raises OutputError.

        part: whose lines these are, where writers on several machines share the folder. In a bucket each
        writer has a part in any case. blank: what others noted is read when first asked for, with `reload`.
        """
        if isinstance(folder, Remote):
            try:
                return cls(folder, {} if blank else _load_all(folder), parts=Parts(folder))
            except (OSError, WriteError) as error:
                why = explained(error) if isinstance(error, OSError) else error
                raise OutputError(f"{folder}: {why}") from error
        path = folder / PARTS / f"{part}.jsonl" if part else folder / NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            entries, descriptor = _load_to_append(path)
            try:
                if (folder / PARTS).is_dir():
                    (folder / NAME).touch()  # marks the folder as one of results
                    entries = entries if blank else _load_all(folder)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "")
            except OSError:
                os.close(descriptor)
                raise
        except FileExistsError as error:
            raise OutputError(f"{shown(folder)} is a file; choose another folder with -o") from error
        except OSError as error:
            fact, _ = reason(error)
            raise OutputError(f"{shown(folder)}: {fact}; choose another folder with -o") from error
        return cls(folder, entries, path, descriptor)

    @classmethod
    def peek(cls, folder: Path) -> Manifest:
        """The same for a dry run: only read, nothing is made, and one that cannot be read is empty."""
        entries: dict[str, Noted] = {}
        with contextlib.suppress(OSError):
            entries = _load_all(folder)
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

    def knows(self, output: Path) -> bool:
        """Whether lptn wrote a file of that name, whatever has become of it."""
        return self._key(output) in self._entries

    def result_of_another(self, job: Job) -> str | None:
        """The place of another photo that the output was made from, if both are still there; a URL is taken
        for one that is."""
        entry = self._entries.get(self._key(job.output))
        if entry is None or entry.input == _place(job.photo.path):
            return None
        there = isinstance(located(entry.input), Remote) or os.path.lexists(entry.input)
        return entry.input if there and self.owns(job.output) else None

    def reload(self) -> None:
        """See what other runs on the same folder have finished meanwhile."""
        with contextlib.suppress(OSError):
            entries = _load_all(self._folder)
            with self._lock:
                self._entries = self._entries | entries

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
            before = (old.output_size, old.output_mtime_ns) if old else ()
            now = max(time.time_ns(), old.noted + 1 if old else 0)  # clocks are set back
            entry = Noted(*made, *source, settings, now, *before)
            if self._parts:
                self._parts.append(line_of(entry))
            with self._lock:
                if not self._parts:
                    self._append(line_of(entry))
                self._entries[key] = entry
        except OSError as error:
            fact, remedy = reason(error)
            raise WriteError(f"cannot be noted as done, so it was not written: {fact}; {remedy}") from error

    def keep_time(self, job: Job, settings: str) -> None:
        """Give a finished output of ours its input's time, where it has another. Raises OutputError."""
        found = file_status(job.output) if self.owns(job.output) else None
        time_ns = job.photo.mtime_ns
        if found is None or abs(found.st_mtime_ns - time_ns) <= _CLOCK:
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

    def _append(self, line: bytes) -> None:
        """One write of the whole line: with O_APPEND, lines of several processes do not mix."""
        if self._descriptor is None:
            raise ValueError("this manifest is closed or was opened for reading only")
        if self._path and not _is_at(self._descriptor, self._path):  # the disk was taken away, or the folder
            raise FileNotFoundError(errno.ENOENT, "")
        line = b"\n" + line if self._torn else line
        self._torn = True  # until the whole line is known to be there
        if os.write(self._descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, "")
        self._torn = False


def _place(path: Path) -> str:
    """What a photo is known by: its absolute path, or its URL."""
    return str(path) if isinstance(path, Remote) else os.path.abspath(path)  # noqa: PTH100  `..` resolved


def _load_to_append(path: Path) -> tuple[dict[str, Noted], int]:
    """The entries by output, and a descriptor from `_hold`; compacts the file where that is worth it."""
    for worth_it in (True, False):
        descriptor = _hold(path)
        try:
            entries, lines = _load(path)
        except BaseException:
            os.close(descriptor)
            raise
        if not (worth_it and lines > 2 * len(entries) + _SPARE_LINES):
            break
        os.close(descriptor)  # its shared lock would keep us out as well
        _compact(path)
    return entries, descriptor


def _load_all(folder: Path) -> dict[str, Noted]:
    """The entries by output of every writer. Raises OSError."""
    if isinstance(folder, Remote):
        forget_listings()
        return latest(read_parts(folder))[0]
    paths = (folder / NAME, *sorted((folder / PARTS).glob("*.jsonl")))
    with contextlib.ExitStack() as files:
        lines = [files.enter_context(path.open("rb")) for path in paths if path.is_file()]
        return latest(itertools.chain.from_iterable(lines))[0]


def _load(path: Path) -> tuple[dict[str, Noted], int]:
    """The entries by output, and how many lines there are, good or not."""
    with path.open("rb") as file:
        return latest(file)


def _hold(path: Path) -> int:
    """A descriptor to append by, with the shared lock, after a newline. Raises OSError."""
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, f"{NAME} is not a regular file")
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits only while another run compacts
            if _is_at(descriptor, path):
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    os.write(descriptor, b"\n")  # the last run was cut off within a line
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # replaced while we waited


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _compact(path: Path) -> None:
    """Keep only the last line of each output, unless another run has the manifest open."""
    with contextlib.suppress(OSError, WriteError), path.open("r+b") as file:  # r+: NFS wants it for this lock
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(file.fileno(), path):
            entries, _ = latest(file)
            write_atomic(path, b"".join(map(line_of, entries.values())), overwrite=True)
