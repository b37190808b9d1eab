"""What to retouch: a photo, lists of them on stdin or in files, and their bytes."""

from __future__ import annotations

import codecs
import errno
import os
import stat
import sys
import time
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from lptn_cli import storage
from lptn_cli.codecs.formats import EXTENSIONS
from lptn_cli.codecs.sniffing import sniff
from lptn_cli.errors import ReadError, UsageError
from lptn_cli.storage import Remote

STDIN = Path("-")
MANIFEST = ".lptn-manifest.jsonl"  # lies in every output folder
PARTS = ".lptn-manifest.d"  # beside it: what each of several writers has noted
OWN_PICTURES = ".lptn-pictures"  # marks folders of pictures that lptn made of photos: --compare, training
TRAINING = "lptn-train"  # where `lptn train` keeps its state and its contact sheets


@dataclass(frozen=True, slots=True)
class Photo:
    """One input. size and mtime_ns are those at discovery, 0 where `problem` says why it cannot be read;
    mtime_ns also where the web does not tell it."""

    path: Path  # as the user wrote it; its name may be any bytes (surrogateescape)
    relative: PurePath  # below the folder that was given; the bare name of a file that was named itself
    size: int
    mtime_ns: int
    problem: str = ""
    data: bytes | None = field(default=None, repr=False)  # of the image that came on stdin


def shown(path: PurePath | str) -> str:
    """The path as a terminal may print it: controls, invisible characters and stray bytes are escaped."""
    return "".join(map(_visible, os.fspath(path)))


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":  # macOS puts U+202F in names
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def from_stdin(data: bytes) -> Photo:
    """The image that came on stdin. It has the time of now, so that no later one is taken for it."""
    format = sniff(data)
    name = PurePath("stdin" + (EXTENSIONS[format] if format else ""))
    return Photo(STDIN, name, len(data), time.time_ns(), data=data)


def listed(source: str, *, null: bool) -> list[Path]:
    """The paths of a `--files-from` list, one a line or each ended by NUL; `-`: stdin. Raises UsageError."""
    if source == "-" and sys.stdin.isatty():
        raise UsageError("--files-from - reads from stdin, which is a terminal; pipe a list in: find ... |")
    try:
        text = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"--files-from {shown(source)}: {why_not(error, 'no such file')}") from error
    text = text.removeprefix(codecs.BOM_UTF8)
    if not null and b"\0" in text:
        raise UsageError(f"--files-from {shown(source)}: its paths end in NUL; add -0")
    paths = text.split(b"\0") if null else (line.removesuffix(b"\r") for line in text.split(b"\n"))
    return [storage.located(os.fsdecode(path)) for path in paths if path]


def why_not(error: OSError | ValueError, missing: str) -> str:
    code = error.errno if isinstance(error, OSError) else errno.ENOENT
    if code in (errno.ENOENT, errno.ENOTDIR):
        return missing
    if code in (errno.EACCES, errno.EPERM):
        return "permission denied; give yourself the right to read it"
    if code == errno.ELOOP:
        return "its symbolic links go round in circles"
    return f"it cannot be read ({os.strerror(code or errno.EIO).lower()})"


def readable(photo: Photo) -> bool:
    """Whether it can be read, as far as is known without opening it."""
    elsewhere = photo.data is not None or isinstance(photo.path, Remote)
    return not photo.problem and (elsewhere or os.access(photo.path, os.R_OK))


def read(photo: Photo) -> bytes:
    """The photo's bytes, the same file that was discovered.

    Raises ReadError, a phrase without the file's name: not a regular file, not readable, gone, changed since.
    """
    if photo.problem:
        raise ReadError(photo.problem)
    if photo.data is not None:
        return photo.data
    if isinstance(photo.path, Remote):
        return storage.read(photo.path, photo.size)
    try:
        _require_file(photo.path.stat())  # never opens a device: that alone may act on it
        # O_NONBLOCK: a FIFO that took the file's place since must not hang the run
        with os.fdopen(os.open(photo.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", 0) as file:
            before = os.fstat(file.fileno())
            _require_file(before)
            data = file.read()
            after = os.fstat(file.fileno())
    except OSError as error:
        raise ReadError(why_not(error, "no longer there")) from error
    discovered = (photo.size, photo.mtime_ns)
    if not discovered == (before.st_size, before.st_mtime_ns) == (len(data), after.st_mtime_ns):
        raise ReadError("changed while the run was going; run again")
    return data


def _require_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ReadError("is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise ReadError("is not a regular file")
