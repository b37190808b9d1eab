"""Files that appear whole or not at all: written under a hidden name beside their place, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

from lptn_cli.errors import WriteError

# .lptn-<machine>-<pid>-<random>.part: short, so that a name of 255 bytes does not make it too long; the
# machine, so that a shared folder's files of another machine's run are not taken for a dead run's.
_PART = re.compile(r"\.lptn-([0-9a-f]{8})-([1-9][0-9]*)-[0-9a-f]{16}\.part")
_DAY = 24 * 60 * 60  # seconds

_ELSEWHERE = "choose another folder with -o"
_SHORTER = "shorten it with --name"
_SPACE = "free some space and run again"
_REASONS = {
    errno.ENOSPC: ("the disk is full", _SPACE),
    errno.EDQUOT: ("the disk quota is used up", _SPACE),
    errno.EFBIG: ("the file is too large for the disk", _ELSEWHERE),
    errno.EACCES: ("permission denied", f"make the folder writable or {_ELSEWHERE}"),
    errno.EPERM: ("permission denied", f"make the folder writable or {_ELSEWHERE}"),
    errno.EROFS: ("the file system is read-only", _ELSEWHERE),
    errno.ENAMETOOLONG: ("the name is too long", _SHORTER),
    errno.ENOTDIR: ("a file is in the way of its folder", _ELSEWHERE),
    errno.EISDIR: ("a folder of that name is in the way", f"move it or {_ELSEWHERE}"),
    errno.ENOENT: ("its folder has vanished", "run again"),
    errno.EIO: ("the disk reports an error", "check it, then run again"),
}


def reason(error: OSError, option: str = "-o") -> tuple[str, str]:
    """(the fact, the remedy) of a failed write, each a phrase without the file's name.

    option: the one that names the folder.
    """
    fallback = ((error.strerror or str(error)).lower(), _ELSEWHERE)
    fact, remedy = _REASONS.get(error.errno or 0, fallback)
    if remedy == _SHORTER and option != "-o":
        remedy = _ELSEWHERE
    return fact, remedy.replace("with -o", f"with {option}")


def write_atomic(
    path: Path,
    data: bytes,
    *,
    overwrite: bool,
    mtime_ns: int | None = None,
    before: Callable[[os.stat_result], None] | None = None,
    option: str = "-o",
) -> None:
    """Put the whole of data at path, making its folders; the file's mode follows the umask.

    mtime_ns: the time of modification it gets. before: called with the finished file's status just before it
    appears at path, so that whatever is noted of it is there even if the process is killed in between.
    option: the one that names the folder.

    It is on the disk before it appears, so that a power cut leaves a whole file or none. Without overwrite,
    a file that is at path, or appears there meanwhile, is left alone. On any failure and on Ctrl-C no
    temporary file stays. Raises WriteError, a phrase without the file's name.
    """
    part = path.parent / f".lptn-{_machine()}-{os.getpid()}-{os.urandom(8).hex()}.part"
    try:
        _make_folder(path.parent)
        try:
            # 0o666: the umask takes away what open() would take away
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                await_disk(file.fileno())
            if mtime_ns is not None:
                os.utime(part, ns=(mtime_ns, mtime_ns))
            if before is not None:
                before(part.stat())
            if overwrite:
                part.replace(path)
            else:
                _place_new(part, path)
        finally:
            with contextlib.suppress(OSError):  # gone already where it was renamed
                part.unlink()
    except FileExistsError as error:
        if os.path.isdir(path):  # noqa: PTH112  never raises
            raise _write_error(IsADirectoryError(errno.EISDIR, ""), option) from error
        raise WriteError("a file of that name exists; replace it with --overwrite") from error
    except OSError as error:
        raise _write_error(error, option) from error


def await_disk(descriptor: int) -> None:
    """Return when what was written there lies on the disk; a file system that cannot say so is believed."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise


def require_writable(folder: Path, option: str = "-o") -> None:
    """Make the folder, which `option` names, if need be, and see whether it takes a file.

    Raises WriteError, without its name.
    """
    try:
        _make_folder(folder)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _write_error(error, option) from error


def sweep(folder: Path) -> int:
    """Remove temporary files of dead runs in the folder itself; how many went.

    Dead: of this machine with no process of that number, or over a day old. What cannot be listed or removed
    stays, silently: the run itself will say what matters.
    """
    swept = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (match := _PART.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                swept += _remove_if_dead(entry, match[1], match[2])
    return swept


def _place_new(part: Path, path: Path) -> None:
    try:
        path.hardlink_to(part)  # unlike a rename, fails where a file has appeared
    except FileExistsError:
        raise
    except OSError as error:  # FAT and some network file systems have no hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "") from error
        part.replace(path)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, "") from error


def _write_error(error: OSError, option: str = "-o") -> WriteError:
    return WriteError("; ".join(reason(error, option)))


def _machine() -> str:
    return f"{zlib.crc32(os.fsencode(os.uname().nodename)):08x}"


def _remove_if_dead(entry: os.DirEntry[str], machine: str, pid: str) -> bool:
    try:
        old = time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY
        if not old and (machine != _machine() or _alive(int(pid))):
            return False
        Path(entry.path).unlink()
    except OSError:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # someone else's process
        return True
    return True
