"""Outputs appear whole or not at all, nobody's file is lost, and dead runs leave nothing behind."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from lptn_cli.atomic import write_atomic
from lptn_cli.errors import WriteError
from tests.command import names


def test_writes_all_bytes_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.jpg"
    write_atomic(path, b"photo" * 100_000, overwrite=False)
    assert path.read_bytes() == b"photo" * 100_000
    assert names(path.parent) == ["x.jpg"]
    assert path.stat().st_nlink == 1


def test_without_overwrite_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(b"mine")
    with pytest.raises(WriteError, match="--overwrite"):
        write_atomic(path, b"yours", overwrite=False)
    assert path.read_bytes() == b"mine"
    assert names(tmp_path) == ["x.jpg"]


def test_overwrite_replaces(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(b"old and longer")
    write_atomic(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"


def test_overwrite_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    original = tmp_path / "original.jpg"
    original.write_bytes(b"original")
    (tmp_path / "x.jpg").symlink_to(original)
    write_atomic(tmp_path / "x.jpg", b"new", overwrite=True)
    assert original.read_bytes() == b"original"
    assert not (tmp_path / "x.jpg").is_symlink()


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    path = tmp_path / "x.jpg"
    real_link = os.link

    def someone_is_faster(source: str, target: str) -> None:
        path.write_bytes(b"someone's")
        if not hard_links:
            raise OSError(errno.EPERM, "Operation not permitted")
        real_link(source, target)

    monkeypatch.setattr(os, "link", someone_is_faster)
    with pytest.raises(WriteError, match="--overwrite"):
        write_atomic(path, b"ours", overwrite=False)
    assert path.read_bytes() == b"someone's"
    assert names(tmp_path) == ["x.jpg"]


def test_writes_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: str, target: str) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    write_atomic(tmp_path / "x.jpg", b"ours", overwrite=False)
    assert (tmp_path / "x.jpg").read_bytes() == b"ours"
    assert names(tmp_path) == ["x.jpg"]


def test_of_many_threads_exactly_one_wins(tmp_path: Path) -> None:
    path, won, barrier = tmp_path / "new" / "x.jpg", [], threading.Barrier(8)

    def run(number: int) -> None:
        barrier.wait()
        try:
            write_atomic(path, bytes([number]) * 1000, overwrite=False)
        except WriteError:
            return
        won.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert path.read_bytes() == bytes(won) * 1000
    assert names(path.parent) == ["x.jpg"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("overwrite", [True, False])
def test_mode_follows_the_umask(tmp_path: Path, mask: int, overwrite: bool) -> None:
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "x.jpg", b"", overwrite=overwrite)
    finally:
        os.umask(before)
    assert (tmp_path / "x.jpg").stat().st_mode & 0o777 == 0o666 & ~mask


def test_name_of_255_bytes_works_and_256_is_one_clear_error(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * 251 + ".jpg")
    write_atomic(longest, b"1", overwrite=False)
    assert longest.read_bytes() == b"1"
    for overwrite in (True, False):
        with pytest.raises(WriteError, match=r"name is too long.*--name"):
            write_atomic(tmp_path / ("x" * 252 + ".jpg"), b"1", overwrite=overwrite)
    assert names(tmp_path) == [longest.name]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    write_atomic(tmp_path / name, b"1", overwrite=False)
    assert [os.fsencode(found) for found in names(tmp_path)] == [b"caf\xe9.jpg"]


@pytest.mark.parametrize("deep", ["x.jpg", "deeper/x.jpg"])
def test_a_file_where_the_folder_should_be(tmp_path: Path, deep: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(WriteError, match="a file is in the way of its folder"):
        write_atomic(tmp_path / "file" / deep, b"1", overwrite=True)
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_where_the_file_should_be(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "x.jpg").mkdir()
    with pytest.raises(WriteError, match="a folder of that name is in the way"):
        write_atomic(tmp_path / "x.jpg", b"1", overwrite=overwrite)
    assert names(tmp_path) == ["x.jpg"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full; free"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "permission denied; "),
        (errno.EROFS, "read-only; .*-o"),
        (errno.ESTALE, "stale.*; "),
    ],
)
def test_a_failed_write_names_fact_and_remedy_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(WriteError, match=words) as caught:
        write_atomic(tmp_path / "x.jpg", b"1", overwrite=True)
    assert "x.jpg" not in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def on_a_full_disk(path: str | Path, flags: int, mode: int = 0o777) -> int:
        os.close(real_open(path, flags, mode))
        return real_open("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(os, "open", on_a_full_disk)
    with pytest.raises(WriteError, match="the disk is full"):
        write_atomic(tmp_path / "x.jpg", b"1" * 100_000, overwrite=False)
    assert names(tmp_path) == []


def test_ctrl_c_leaves_nothing_and_goes_on_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Path, target: Path) -> Path:
        assert len(names(tmp_path)) == 1, "the temporary file is beside the output"
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x.jpg", b"1", overwrite=True)
    assert names(tmp_path) == []


def test_permission_denied(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(WriteError, match="permission denied"):
            write_atomic(tmp_path / "x.jpg", b"1", overwrite=False)
    finally:
        tmp_path.chmod(0o755)


def test_the_time_of_modification_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    write_atomic(path, b"x", overwrite=False, mtime_ns=1_234_567_890_123_456_789)
    assert path.stat().st_mtime_ns == 1_234_567_890_123_456_789


def test_before_hears_of_the_finished_file_and_may_call_it_off(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    seen: list[tuple[int, bool]] = []
    write_atomic(path, b"four", overwrite=False, before=lambda s: seen.append((s.st_size, path.exists())))
    assert seen == [(4, False)]

    def refuse(status: os.stat_result) -> None:
        raise WriteError("cannot be noted")

    with pytest.raises(WriteError, match="cannot be noted"):
        write_atomic(path, b"other", overwrite=True, before=refuse)
    assert path.read_bytes() == b"four"
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_on_the_disk_before_it_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    seen: list[tuple[int, bool]] = []
    monkeypatch.setattr(os, "fsync", lambda number: seen.append((os.fstat(number).st_size, path.exists())))
    write_atomic(path, b"photo", overwrite=False)
    assert seen == [(5, False)] and path.read_bytes() == b"photo"


@pytest.mark.parametrize(
    ("code", "raises"), [(errno.EINVAL, False), (errno.ENOSYS, False), (errno.EIO, True)]
)
def test_a_disk_that_cannot_say_so_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raises: bool
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, "")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match="the disk reports an error") if raises else nullcontext():
        write_atomic(tmp_path / "x.jpg", b"photo", overwrite=False)
    assert names(tmp_path) == ([] if raises else ["x.jpg"])
