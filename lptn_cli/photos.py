"""What to retouch: photos are discovered in folders and lists, and read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from lptn_cli import storage
from lptn_cli.codecs.formats import EXTENSIONS, SUFFIXES
from lptn_cli.codecs.sniffing import sniff
from lptn_cli.errors import ReadError, UsageError
from lptn_cli.globs import matches
from lptn_cli.storage import Remote

STDIN = Path("-")
MANIFEST = ".lptn-manifest.jsonl"  # lies in every output folder
PARTS = ".lptn-manifest.d"  # beside it: what each of several writers has noted
GALLERY = ".lptn-compare"  # marks the pictures of --compare
TRAINING = "lptn-train"  # where `lptn train` keeps its state and its contact sheets


@dataclass(frozen=True, slots=True)
class Photo:
    """One input. size and mtime_ns are those at discovery, 0 where `problem` says why it cannot be read."""

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
        raise UsageError(f"--files-from {shown(source)}: {_why(error, 'no such file')}") from error
    if not null and b"\0" in text:
        raise UsageError(f"--files-from {shown(source)}: its paths end in NUL; add -0")
    paths = text.split(b"\0") if null else (line.removesuffix(b"\r") for line in text.split(b"\n"))
    return [storage.located(os.fsdecode(path)) for path in paths if path]


def discover(
    inputs: Sequence[Path],
    *,
    recursive: bool = True,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    limit: int | None = None,
    skip: Path | None = None,
    mirrored: Sequence[Path] = (),
    passed_over: list[Path] | None = None,
) -> list[Photo]:
    """Every photo in the inputs, each once, in a stable order: a folder's files by name, then its folders.

    include, exclude: globs on the path below the folder. One without a slash matches the name of the photo or
    of any folder above it; one with a slash is matched from the given folder down, `**` standing for any
    folders; one that matches a folder matches all below it. Case counts. Files in `inputs` are always taken.
    skip: the output folder, passed over wherever it is met, but for an input that is it alone or lies in it.
    Folders below that hold results of an earlier run (a manifest) or of training are passed over too.
    passed_over: gets the folders with such results.
    mirrored: further inputs, from a list; a file's own folders are kept in `relative` where they lead down,
    and those of a URL below its scheme.
    What cannot be listed or is not there becomes a Photo with a `problem`, so that it is one failed line.
    """
    taken: set[bytes] = set()  # digests: the paths of a million photos would be 200 MB
    photos: list[Photo] = []
    real_skip = _real(skip) if skip is not None else None
    mirrored_set = set(mirrored)
    passed = [] if passed_over is None else passed_over
    for path in [*inputs, *mirrored]:
        if is_folder(path):
            real = _real(path)
            if real == real_skip and len(inputs) > 1:  # `lptn retouch * -o out`, run again
                continue
            never = None if _inside(real, real_skip) else real_skip
            found = _walk(path, recursive, include, exclude, never, passed)
        else:
            leads_down = path in mirrored_set and not path.is_absolute() and ".." not in path.parts
            below = PurePath(*path.parts[1:]) if isinstance(path, Remote) else path
            found = iter([_named(path, below if leads_down else PurePath(path.name))])
        for location, photo in found:
            if limit is not None and len(photos) >= limit:
                return photos
            digest = hashlib.blake2b(location.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest not in taken:
                taken.add(digest)
                photos.append(photo)
    return photos


def is_folder(place: Path) -> bool:
    """Never raises: a bucket that cannot be asked is taken for a file, which then says why."""
    if not isinstance(place, Remote):
        return os.path.isdir(place)  # noqa: PTH112  Path.is_dir raises where the way is forbidden
    try:
        return storage.is_folder(place)
    except OSError:
        return False


def _real(place: Path) -> str:
    return str(place) if isinstance(place, Remote) else os.path.realpath(place)


def _named(path: Path, relative: PurePath) -> tuple[str, Photo]:
    if isinstance(path, Remote):
        return str(path), _named_object(path, relative)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name, from a list of files
        return str(path.absolute()), Photo(path, relative, 0, 0, _why(error, "no such file"))
    return os.path.realpath(path), Photo(path, relative, status.st_size, status.st_mtime_ns)


def _named_object(path: Remote, relative: PurePath) -> Photo:
    try:
        status = storage.status(path)
    except OSError as error:
        return Photo(path, relative, 0, 0, storage.explained(error))
    if status is None:
        return Photo(path, relative, 0, 0, "no such file")
    return Photo(path, relative, status.st_size, status.st_mtime_ns)


def _walk(
    top: Path,
    recursive: bool,
    include: Sequence[str],
    exclude: Sequence[str],
    skip: str | None,
    passed_over: list[Path],
) -> Iterator[tuple[str, Photo]]:
    """(real location, photo) of all below `top`. A stack, as a tree may be deeper than Python recurses."""
    visited: set[tuple[int, int]] = set()
    stack = [(top, PurePath(), _real(top))]
    while stack:
        folder, relative, real = stack.pop()
        try:
            entries = _listed(folder, visited, top)
        except OSError as error:
            name = PurePath(folder.name) if folder == top else relative
            why = storage.explained(error) if isinstance(folder, Remote) else _why(error, "gone")
            yield real, Photo(folder, name, 0, 0, f"the folder cannot be listed: {why}")
            continue
        folders = []
        for entry in entries:
            below = relative / entry.name
            if any(matches(below, glob) for glob in exclude):
                continue
            location = os.path.join(real, entry.name)  # noqa: PTH118  a str, for speed
            if entry.is_symlink():
                location = os.path.realpath(location)
            if _is_folder(entry):
                if not recursive or _inside(location, skip) or _is_made(location):
                    continue
                if _holds_results(location):
                    passed_over.append(folder / entry.name)
                else:
                    folders.append((folder / entry.name, below, location))
            elif below.suffix.lower() in SUFFIXES and (
                not include or any(matches(below, glob) for glob in include)
            ):
                yield location, _entry_photo(folder / entry.name, below, entry)
        stack.extend(reversed(folders))


def _listed(
    folder: Path, visited: set[tuple[int, int]], top: Path
) -> Sequence[os.DirEntry[str] | storage.Entry]:
    """What is in the folder by name, hidden names left out; nothing on a second visit, which ends loops."""
    if isinstance(folder, Remote):
        found = sorted(storage.entries(folder), key=lambda entry: entry.name)
        is_output = any(entry.name == PARTS for entry in found)
        return [entry for entry in found if entry.name[0] != "."] if folder == top or not is_output else []
    status = folder.stat()
    if (status.st_dev, status.st_ino) in visited:
        return []
    visited.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)


def _is_made(folder: str) -> bool:
    """Whether lptn put pictures of photos there: pages of --compare, contact sheets of training."""
    marked = os.path.lexists(os.path.join(folder, GALLERY))  # noqa: PTH118
    return marked or os.path.basename(folder) == TRAINING  # noqa: PTH119


def _holds_results(folder: str) -> bool:
    """Whether an earlier run wrote results there. A run that wrote none leaves an empty manifest."""
    manifest, parts = (os.path.join(folder, name) for name in (MANIFEST, PARTS))  # noqa: PTH118
    try:
        return os.stat(manifest).st_size > 0 or os.path.isdir(parts)  # noqa: PTH112, PTH116
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str] | storage.Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink that goes round in circles: judged by its suffix, fails when read
        return False


def _entry_photo(path: Path, relative: PurePath, entry: os.DirEntry[str] | storage.Entry) -> Photo:
    try:
        status = entry.stat()
    except OSError as error:
        return Photo(path, relative, 0, 0, _why(error, "it is a link to a file that is not there"))
    return Photo(path, relative, status.st_size, status.st_mtime_ns)


def _inside(real: str, folder: str | None) -> bool:
    return folder is not None and (real == folder or real.startswith(folder.rstrip("/") + "/"))


def _why(error: OSError | ValueError, missing: str) -> str:
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
        raise ReadError(_why(error, "no longer there")) from error
    discovered = (photo.size, photo.mtime_ns)
    if not discovered == (before.st_size, before.st_mtime_ns) == (len(data), after.st_mtime_ns):
        raise ReadError("changed while the run was going; run again")
    return data


def _require_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ReadError("is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise ReadError("is not a regular file")
