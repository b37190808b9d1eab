"""Inputs from stdin and from lists, and those that cannot be read."""

from __future__ import annotations

import errno
import io
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

import pytest

from lptn_cli.discover import discover
from lptn_cli.errors import ReadError, UsageError
from lptn_cli.photos import Photo, from_stdin, listed, read, shown
from lptn_cli.plan import plan
from tests.command import touch


def relatives(photos: Sequence[Photo]) -> list[str]:
    return [photo.relative.as_posix() for photo in photos]


# stdin and lists


class Stdin:
    """A stand-in for sys.stdin."""

    def __init__(self, data: bytes = b"", terminal: bool = False) -> None:
        self.buffer = io.BytesIO(data)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"\xff\xd8\xff\xe0", "stdin.jpg"), (b"\x89PNG\r\n\x1a\n", "stdin.png"), (b"", "stdin")],
)
def test_an_image_from_stdin(tmp_path: Path, data: bytes, name: str) -> None:
    photo = from_stdin(data)
    assert read(photo) == data
    (job,) = plan([photo], output=tmp_path, preset="p", single_file=True)
    assert job.output == tmp_path / name
    (job,) = plan([photo], output=tmp_path / "y.png", preset="p", single_file=True)
    assert (job.output, job.format) == (tmp_path / "y.png", "png")


@pytest.mark.parametrize(
    ("text", "null", "expected"),
    [
        (b"a.jpg\nb c.jpg\n", False, [b"a.jpg", b"b c.jpg"]),
        (b"a.jpg\r\n\r\n\n-o.jpg", False, [b"a.jpg", b"-o.jpg"]),
        (b"a\n\r.jpg\0\xe9.jpg\0", True, [b"a\n\r.jpg", b"\xe9.jpg"]),
        (b"", False, []),
        (b"", True, []),
    ],
)
@pytest.mark.parametrize("stdin", [True, False])
def test_lists_of_paths(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: bytes,
    null: bool,
    expected: list[bytes],
    stdin: bool,
) -> None:
    (tmp_path / "list").write_bytes(text)
    monkeypatch.setattr(sys, "stdin", Stdin(text))
    source = "-" if stdin else str(tmp_path / "list")
    assert [os.fsencode(path) for path in listed(source, null=null)] == expected


def test_bad_lists_are_usage_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list").write_bytes(b"a.jpg\0b.jpg\0")
    with pytest.raises(UsageError, match="add -0"):
        listed(str(tmp_path / "list"), null=False)
    with pytest.raises(UsageError, match="none: no such file"):
        listed(str(tmp_path / "none"), null=False)
    with pytest.raises(UsageError, match="list: it cannot be read"):
        monkeypatch.setattr(Path, "read_bytes", lambda self: os.read(999, 1))
        listed(str(tmp_path / "list"), null=False)
    monkeypatch.setattr(sys, "stdin", Stdin(terminal=True))
    with pytest.raises(UsageError, match="terminal; pipe a list in"):
        listed("-", null=False)


# what cannot be read


def failure(photo: Photo) -> str:
    with pytest.raises(ReadError) as caught:
        read(photo)
    assert "\n" not in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert str(photo.path) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["none.jpg", "none/none.jpg", "a\0b.jpg", "\ud800.jpg"])
def test_a_named_file_that_is_not_there_is_one_failure(tmp_path: Path, name: str) -> None:
    photos = discover([tmp_path / name, tmp_path / name])
    assert len(photos) == 1
    assert failure(photos[0]) == "no such file"


def test_the_way_to_a_named_file_is_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def forbidden(
        path: str | Path, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        if str(path).startswith(str(tmp_path / "locked")):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "stat", forbidden)
    (photo,) = discover([tmp_path / "locked" / "x.jpg"])
    assert "permission denied" in failure(photo)


def test_a_folder_that_cannot_be_listed_is_one_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "in/locked/x.jpg", "in/y.jpg", "in/z/z.jpg")
    real = os.scandir

    def forbidden(path: str | Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    photos = discover([tmp_path / "in"], include=["*.jpg"])
    assert relatives(photos) == ["y.jpg", "locked", "z/z.jpg"]
    assert failure(photos[1]).startswith("the folder cannot be listed: permission denied; ")
    assert relatives(discover([tmp_path / "in"], exclude=["locked"])) == ["y.jpg", "z/z.jpg"]
    assert relatives(discover([tmp_path / "in" / "locked"])) == ["locked"]


def test_permissions_for_real(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    touch(tmp_path, "x.jpg", "locked/y.jpg")
    (tmp_path / "x.jpg").chmod(0)
    (tmp_path / "locked").chmod(0)
    try:
        assert ["permission denied" in failure(photo) for photo in discover([tmp_path])] == [True, True]
    finally:
        (tmp_path / "locked").chmod(0o755)


@pytest.mark.timeout(10)
def test_fifos_sockets_and_devices_never_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        (tmp_path / "device.jpg").symlink_to("/dev/zero")
        photos = discover([tmp_path])
        assert relatives(photos) == ["fifo.jpg", "socket.jpg", "device.jpg"]
        assert [failure(photo) for photo in photos] == ["is not a regular file"] * 3


@pytest.mark.timeout(10)
def test_a_fifo_that_takes_the_photos_place_never_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "x.jpg")
    (photo,) = discover([tmp_path])
    real = os.open

    def swapped(path: Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", swapped)
    assert failure(photo) == "is not a regular file"


def test_dangling_and_circular_links(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("none")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    (tmp_path / "c").symlink_to("c")
    photos = discover([tmp_path])
    assert relatives(photos) == ["a.jpg", "b.jpg"]
    assert "link to a file that is not there" in failure(photos[0])
    assert "round in circles" in failure(photos[1])
    assert failure(discover([tmp_path / "a.jpg"])[0]) == "no such file"


def test_a_photo_that_goes_or_changes_during_the_run(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    a, b, c, d, e = discover([tmp_path])
    a.path.unlink()
    assert failure(a) == "no longer there"
    b.path.write_bytes(b"longer than it was")
    os.utime(b.path, ns=(b.mtime_ns, b.mtime_ns))
    assert failure(b) == "changed while the run was going; run again"
    os.utime(c.path, ns=(c.mtime_ns, c.mtime_ns + 1))
    assert failure(c) == "changed while the run was going; run again"
    d.path.unlink()
    d.path.mkdir()
    assert failure(d) == "is a folder, not a file"
    assert read(e) == b"e.jpg"


def test_a_photo_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "x.jpg")
    (photo,) = discover([tmp_path])
    real, calls = os.fstat, []

    def written_to_after_the_first(descriptor: int) -> os.stat_result:
        calls.append(descriptor)
        if len(calls) == 2:
            os.utime(photo.path, ns=(0, 0))
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", written_to_after_the_first)
    assert failure(photo) == "changed while the run was going; run again"


def test_an_io_error_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "x.jpg")
    (photo,) = discover([tmp_path])

    def fail(path: Path, flags: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "open", fail)
    assert failure(photo) == "it cannot be read (input/output error)"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a b/ü雪📷.jpg", "a b/ü雪📷.jpg"),
        ("Screenshot 5\u202fPM\u3000\u00a0.png", "Screenshot 5\u202fPM\u3000\u00a0.png"),
        ("a\nb\tc\x1b[31m\x7f\x9b", r"a\nb\tc\x1b[31m\x7f\x9b"),
        (os.fsdecode(b"caf\xe9\x80\xff"), r"caf\xe9\x80\xff"),
        ("gpj.\u202eexe\u200b\u2028", r"gpj.\u202eexe\u200b\u2028"),
    ],
)
def test_shown_is_safe_for_a_terminal(name: str, expected: str) -> None:
    assert shown(name) == expected
    assert shown(PurePath(name)) == expected
    expected.encode()
