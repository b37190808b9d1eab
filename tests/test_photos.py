"""Which photos are found, in what order, and how they are read."""

from __future__ import annotations

import errno
import io
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

import pytest

from lptn_cli.errors import ReadError, UsageError
from lptn_cli.photos import Photo, discover, from_stdin, listed, read, shown
from lptn_cli.plan import plan


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))


def relatives(photos: Sequence[Photo]) -> list[str]:
    return [photo.relative.as_posix() for photo in photos]


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, lptn_cli.manifest\n"
        "print([m for m in ('numpy', 'cv2', 'torch', 'typer', 'rich') if m in sys.modules])"
    )
    root = Path(__file__).parent.parent
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True).strip() == "[]"


# discover


def test_folder_is_walked_in_a_stable_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.jpg", "b/1.PNG", "z.tif", "a.webp", "a/deep/er/x.avif", "c.jpeg", "c.jfif", "c.jpe")
    expected = ["a.webp", "c.jfif", "c.jpe", "c.jpeg", "z.tif", "a/deep/er/x.avif", "b/1.PNG", "b/2.jpg"]
    photos = discover([tmp_path])
    assert relatives(photos) == expected
    assert [photo.path for photo in photos] == [tmp_path / name for name in expected]
    status = (tmp_path / "z.tif").stat()
    assert (photos[4].size, photos[4].mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_hidden_names_and_other_suffixes_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, ".x.jpg", "._x.jpg", ".thumbs/x.jpg", "x.txt", "x.jpg.xmp", "jpg", "notes", "y.jpg")
    assert relatives(discover([tmp_path])) == ["y.jpg"]


def test_a_named_file_is_always_tried(tmp_path: Path) -> None:
    touch(tmp_path, ".x.jpg", "x.weird", "x")
    named = [tmp_path / name for name in (".x.jpg", "x.weird", "x")]
    photos = discover(named, include=["*.png"], exclude=["*"], skip=tmp_path)
    assert relatives(photos) == [".x.jpg", "x.weird", "x"]
    assert [read(photo) for photo in photos] == [b".x.jpg", b"x.weird", b"x"]


def test_paths_stay_as_the_user_wrote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "in/sub/x.jpg", "y.jpg")
    monkeypatch.chdir(tmp_path)
    photos = discover([Path("in"), Path("y.jpg")])
    assert [photo.path for photo in photos] == [Path("in/sub/x.jpg"), Path("y.jpg")]
    assert relatives(photos) == ["sub/x.jpg", "y.jpg"]


def test_contact_sheets_of_training_are_no_photos(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg", "lptn-train/mine/sheet.png")
    assert relatives(discover([tmp_path])) == ["x.jpg"]


def test_no_recursive(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg", "sub/y.jpg")
    assert relatives(discover([tmp_path], recursive=False)) == ["x.jpg"]


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, []), (2, ["a.jpg", "b.jpg"]), (9, ["a.jpg", "b.jpg", "c.jpg"])]
)
def test_limit_is_the_first_n(tmp_path: Path, limit: int, expected: list[str]) -> None:
    touch(tmp_path, "c.jpg", "a.jpg", "b.jpg")
    assert relatives(discover([tmp_path, tmp_path / "a.jpg"], limit=limit)) == expected


def test_each_photo_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "sub/b.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "other").symlink_to("sub")
    inputs = [tmp_path / "sub" / "b.jpg", tmp_path, tmp_path / "sub", tmp_path / "sub" / ".." / "a.jpg"]
    photos = discover(inputs)
    assert relatives(photos) == ["b.jpg", "a.jpg"]


def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "in/sub/x.jpg", "elsewhere/y.jpg")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "sub" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "self").symlink_to("self")
    assert relatives(discover([tmp_path / "in"])) == ["link/y.jpg", "sub/x.jpg"]


def test_a_tree_deeper_than_python_recurses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1050):
        Path("d").mkdir()
        os.chdir("d")
    Path("x.jpg").touch()
    os.chdir(tmp_path)
    (photo,) = discover([Path("d")])
    assert len(photo.relative.parts) == 1050
    (job,) = plan([photo], output=Path("out"), preset="p", single_file=False)
    assert job.output == Path("out") / photo.relative
    subprocess.run(["rm", "-rf", "d"], check=True, cwd=tmp_path)


def test_a_folder_called_x_jpg_is_walked(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg/y.jpg")
    assert relatives(discover([tmp_path])) == ["x.jpg/y.jpg"]


def test_the_output_folder_is_passed_over_wherever_it_is_met(tmp_path: Path) -> None:
    touch(tmp_path, "in/x.jpg", "in/out/y.jpg", "in/out/sub/z.jpg")
    out = tmp_path / "in" / "out"
    (tmp_path / "in" / "link").symlink_to(out)
    (tmp_path / "in" / "link2").symlink_to(out / "sub")
    (tmp_path / "alias").symlink_to(out)
    for skip in (out, tmp_path / "in" / "." / "sub" / ".." / "out", tmp_path / "alias"):
        assert relatives(discover([tmp_path / "in"], skip=skip)) == ["x.jpg"]
    assert relatives(discover([tmp_path / "in", out], skip=out)) == ["x.jpg"], "`lptn retouch * -o out`"
    touch(tmp_path, "in/outer/y.jpg")
    assert relatives(discover([tmp_path / "in"], skip=out)) == ["x.jpg", "outer/y.jpg"]


def test_an_input_that_is_the_output_folder_or_in_it_is_meant(tmp_path: Path) -> None:
    """So that planning can say that it would overwrite its input, and not `no photos`."""
    touch(tmp_path, "out/a/x.jpg", "out/a/b/y.jpg")
    out = tmp_path / "out"
    assert relatives(discover([out], skip=out)) == ["a/x.jpg", "a/b/y.jpg"]
    assert relatives(discover([out / "a", tmp_path], skip=out)) == ["x.jpg", "b/y.jpg"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.jpg", "x.jpg a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("x.*", "x.jpg x.png a/x.jpg c/a/x.jpg"),
        ("?.png", "x.png"),
        ("[!x].jpg", "a/b/y.jpg"),
        ("a/*.jpg", "a/x.jpg"),
        ("*/x.jpg", "a/x.jpg"),
        ("/x.jpg", "x.jpg"),
        ("./x.jpg", "x.jpg"),
        ("**/x.jpg", "x.jpg a/x.jpg c/a/x.jpg"),
        ("a/**/*.jpg", "a/x.jpg a/b/y.jpg"),
        ("**/a/**/*.jpg", "a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("**", "x.jpg x.png a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("a", "a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("a/", "a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("/a", "a/x.jpg a/b/y.jpg"),
        ("a/b", "a/b/y.jpg"),
        ("*.JPG", ""),
    ],
)
def test_include_and_exclude_globs(tmp_path: Path, glob: str, expected: str) -> None:
    everything = ["x.jpg", "x.png", "a/x.jpg", "a/b/y.jpg", "c/a/x.jpg"]
    touch(tmp_path, *everything)
    assert relatives(discover([tmp_path], include=[glob])) == expected.split()
    rest = [name for name in everything if name not in expected.split()]
    assert relatives(discover([tmp_path], exclude=[glob])) == rest


def test_globs_add_up_and_exclude_wins(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.png", "c.tif", "raw/a.jpg")
    found = discover([tmp_path], include=["*.jpg", "*.png"], exclude=["raw", "nothing"])
    assert relatives(found) == ["a.jpg", "b.png"]


def test_globs_hold_for_each_folder_that_was_given(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/x.jpg", "a/y.jpg")
    photos = discover([tmp_path / "a" / "b", tmp_path / "a"], include=["b/*.jpg"])
    assert relatives(photos) == ["b/x.jpg"]


def test_names_of_any_bytes(tmp_path: Path) -> None:
    names = [b"caf\xe9.jpg", b"new\nline.jpg", "雪📷.jpg".encode(), b"-o.jpg", b"a b'\".jpg"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    photos = discover([tmp_path], include=["*"])
    assert sorted(os.fsencode(photo.relative) for photo in photos) == sorted(names)
    assert sorted(read(photo) for photo in photos) == sorted(names)
    jobs = plan(photos, output=tmp_path / "out", preset="p", single_file=False)
    assert sorted(os.fsencode(job.output.name) for job in jobs) == sorted(names)


def test_no_photos(tmp_path: Path) -> None:
    assert discover([tmp_path]) == []
    assert discover([]) == []
    assert list(plan([], output=None, preset="p", single_file=False)) == []


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
        assert relatives(photos) == ["device.jpg", "fifo.jpg", "socket.jpg"]
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
