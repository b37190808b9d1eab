"""What is done already: one JSON line for each finished photo, in the output folder.

Lines are only ever appended, later ones win, and what does not parse is passed over, so a torn line costs one
photo at most. Each open manifest holds a shared lock (flock); compacting takes the exclusive one, so a run
never appends to a file that another has just replaced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from lptn_cli.atomic import reason, write_atomic
from lptn_cli.errors import OutputError, WriteError
from lptn_cli.photos import MANIFEST as NAME
from lptn_cli.photos import shown
from lptn_cli.plan import Job

_SPARE_LINES = 1000  # superseded lines beyond as many as live ones that are worth a rewrite
_CLOCK = 2_000_000_000  # ns; FAT keeps times to two seconds, network disks may round later


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line: the output, relative to the folder and as it was left, and what it was made from."""

    output: str
    output_size: int
    output_mtime_ns: int
    input: str
    size: int
    mtime_ns: int
    settings: str


_TYPES = {name: int if name.endswith(("size", "_ns")) else str for name in _Entry.__slots__}


class Manifest:
    """The finished photos of one output folder. Threads may share it; several processes may have it open."""

    def __init__(self, folder: Path, entries: dict[str, _Entry], descriptor: int | None) -> None:
        self._folder = folder
        self._entries = entries
        self._descriptor = descriptor
        self._torn = False
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> Manifest:
        """The folder's manifest, made with the folder where there is none. Raises OutputError."""
        path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            entries, descriptor = _load_to_append(path)
            if not os.access(folder, os.W_OK | os.X_OK):
                os.close(descriptor)
                raise PermissionError(errno.EACCES, "")
        except FileExistsError as error:
            raise OutputError(f"{shown(folder)} is a file; choose another folder with -o") from error
        except OSError as error:
            fact, _ = reason(error)
            raise OutputError(f"{shown(folder)}: {fact}; choose another folder with -o") from error
        return cls(folder, entries, descriptor)

    @classmethod
    def peek(cls, folder: Path) -> Manifest:
        """The same for a dry run: only read, nothing is made, and one that cannot be read is empty."""
        path = folder / NAME
        entries: dict[str, _Entry] = {}
        with contextlib.suppress(OSError):
            if path.is_file():
                entries, _ = _load(path)
        return cls(folder, entries, None)

    def up_to_date(self, job: Job, settings: str) -> bool:
        """Whether the output is there at its recorded size, made from this very input with these settings."""
        entry = self._entries.get(self._key(job.output))
        photo = job.photo
        return (
            entry is not None
            and not photo.problem
            and entry.input == str(photo.path.absolute())
            and (entry.size, entry.mtime_ns, entry.settings) == (photo.size, photo.mtime_ns, settings)
            and (status := _file_status(job.output)) is not None
            and status.st_size == entry.output_size
        )

    def owns(self, output: Path) -> bool:
        """Whether the output is a file that lptn wrote and nobody has changed since."""
        entry = self._entries.get(self._key(output))
        status = _file_status(output)
        return (
            entry is not None
            and status is not None
            and status.st_size == entry.output_size
            and abs(status.st_mtime_ns - entry.output_mtime_ns) <= _CLOCK
        )

    def knows(self, output: Path) -> bool:
        """Whether lptn wrote a file of that name, whatever has become of it."""
        return self._key(output) in self._entries

    def reload(self) -> None:
        """See what other runs on the same folder have finished meanwhile."""
        with contextlib.suppress(OSError):
            entries, _ = _load(self._folder / NAME)
            with self._lock:
                self._entries = self._entries | entries

    def record(self, job: Job, settings: str, status: os.stat_result) -> None:
        """Note the photo as finished: `status` is that of its output, which is about to be put in place.

        Should the process be killed before it is, it is not there and the photo is done again; were it
        noted afterwards, an output that lptn wrote could be taken for somebody else's. Raises WriteError.
        """
        photo = job.photo
        key = self._key(job.output)
        try:
            made = (key, status.st_size, status.st_mtime_ns)
            entry = _Entry(*made, str(photo.path.absolute()), photo.size, photo.mtime_ns, settings)
            with self._lock:
                self._append(_line(entry))
                self._entries[key] = entry
        except OSError as error:
            fact, remedy = reason(error)
            raise WriteError(f"cannot be noted as done, so it was not written: {fact}; {remedy}") from error

    def close(self) -> None:
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None

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
        line = b"\n" + line if self._torn else line
        self._torn = True  # until the whole line is known to be there
        if os.write(self._descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, "")
        self._torn = False


def _file_status(path: Path) -> os.stat_result | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _line(entry: _Entry) -> bytes:
    # ASCII with \udcNN escapes: names that are not UTF-8 come back as they were
    return json.dumps(asdict(entry), separators=(",", ":")).encode("ascii") + b"\n"


def _parse(line: bytes) -> _Entry | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or any(
        type(fields.get(name)) is not kind for name, kind in _TYPES.items()
    ):
        return None
    return _Entry(**{name: fields[name] for name in _TYPES})


def _load_to_append(path: Path) -> tuple[dict[str, _Entry], int]:
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


def _load(path: Path) -> tuple[dict[str, _Entry], int]:
    """The entries by output, and how many lines there are, good or not."""
    with path.open("rb") as file:
        return _entries(file)


def _entries(lines: Iterable[bytes]) -> tuple[dict[str, _Entry], int]:
    entries: dict[str, _Entry] = {}
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007
        if (entry := _parse(line)) is not None:
            entries[entry.output] = entry
    return entries, count


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
            entries, _ = _entries(file)
            write_atomic(path, b"".join(map(_line, entries.values())), overwrite=True)
