"""The manifest: what counts as done and what is ours, whatever its lines hold."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lptn_cli.manifest import Manifest
from lptn_cli.photos import MANIFEST as NAME
from lptn_cli.photos import from_stdin
from lptn_cli.plan import Job
from lptn_cli.storage import Entry
from tests.manifests import make_job, record


def test_recorded_is_up_to_date_now_and_in_the_next_run(out: Path, job: Job) -> None:
    with Manifest.open(out) as manifest:
        assert not manifest.up_to_date(job, "s")
        assert not manifest.owns(job.output)
        manifest.record(job, "s", job.output.stat())
        assert manifest.up_to_date(job, "s")
        assert manifest.owns(job.output)
    with Manifest.open(out) as manifest:
        assert manifest.up_to_date(job, "s")
        assert manifest.owns(job.output)


def test_every_part_of_the_key_counts(tmp_path: Path, out: Path, job: Job) -> None:
    record(out, job)
    manifest, photo = Manifest.peek(out), job.photo
    assert manifest.up_to_date(job, "s")
    assert not manifest.up_to_date(job, "other settings")
    for changed in (
        replace(photo, size=photo.size + 1),
        replace(photo, mtime_ns=photo.mtime_ns + 1),
        replace(photo, path=tmp_path / "other" / "x.jpg"),
        replace(photo, problem="no such file"),
    ):
        assert not manifest.up_to_date(replace(job, photo=changed), "s")
    assert not manifest.up_to_date(replace(job, output=out / "y.jpg"), "s")


def test_an_image_from_stdin_is_never_up_to_date(out: Path, job: Job) -> None:
    record(out, replace(job, photo=from_stdin(b"one")))
    assert not Manifest.peek(out).up_to_date(replace(job, photo=from_stdin(b"two")), "s")
    assert Manifest.peek(out).owns(job.output)


def test_output_gone_or_of_another_size_is_not_up_to_date(out: Path, job: Job) -> None:
    record(out, job)
    manifest = Manifest.peek(out)
    job.output.write_bytes(b"cut")
    assert not manifest.up_to_date(job, "s")
    job.output.unlink()
    assert not manifest.up_to_date(job, "s")
    job.output.mkdir()
    assert not manifest.up_to_date(job, "s")


def test_owns_ends_when_someone_changes_the_file(out: Path, job: Job) -> None:
    record(out, job)
    manifest = Manifest.peek(out)
    status = job.output.stat()
    os.utime(job.output, ns=(0, status.st_mtime_ns + 1_000_000_000))  # FAT rounds to two seconds
    assert manifest.owns(job.output)
    os.utime(job.output, ns=(0, status.st_mtime_ns + 3_000_000_000))
    assert not manifest.owns(job.output)
    job.output.write_bytes(b"longer than the output")
    os.utime(job.output, ns=(0, status.st_mtime_ns))
    assert not manifest.owns(job.output)
    job.output.unlink()
    assert not manifest.owns(job.output)
    assert not manifest.owns(out / "never-seen.jpg")


@pytest.mark.parametrize("same_size", [True, False])
def test_what_was_to_be_replaced_is_ours_and_not_up_to_date(out: Path, job: Job, same_size: bool) -> None:
    """A run that ends between the line and the file, as an upload that fails does."""
    record(out, job, settings="first")
    status = job.output.stat()
    later = Entry("x.jpg", False, status.st_size + (not same_size), status.st_mtime_ns + 10**10)
    with Manifest.open(out) as manifest:
        manifest.record(job, "second", later)
    for known in (manifest, Manifest.peek(out)):
        assert known.owns(job.output)
        assert not known.up_to_date(job, "second") and not known.up_to_date(job, "first")
    job.output.write_bytes(bytes(later.st_size))
    for time in (later.st_mtime_ns, later.st_mtime_ns + 10**15):  # in place, or copied there later
        os.utime(job.output, ns=(time, time))
        assert manifest.up_to_date(job, "second")


def test_copies_of_a_result_that_got_an_older_time_are_up_to_date(out: Path, job: Job) -> None:
    """As --keep-times gives it to a finished photo, and copying takes it away."""
    record(out, job)
    now = job.output.stat().st_mtime_ns
    older = replace(job, photo=replace(job.photo, mtime_ns=now - 10**15))
    with Manifest.open(out) as manifest:
        manifest.keep_time(older, "s")
        assert manifest.up_to_date(older, "s")
        os.utime(job.output, ns=(now, now))
        assert manifest.up_to_date(older, "s")


def test_later_lines_win(out: Path, job: Job) -> None:
    record(out, job, settings="first")
    record(out, job, settings="second")
    assert Manifest.peek(out).up_to_date(job, "second")
    assert not Manifest.peek(out).up_to_date(job, "first")


def test_the_same_whether_paths_are_relative_or_not(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "out", job)
    monkeypatch.chdir(tmp_path)
    relative = replace(job, output=Path("out/x.jpg"), photo=replace(job.photo, path=Path("in/x.jpg")))
    assert Manifest.peek(Path("out")).up_to_date(relative, "s")
    assert Manifest.peek(tmp_path / "out").owns(Path("out/x.jpg"))


def test_the_folder_may_be_moved(tmp_path: Path, out: Path, job: Job) -> None:
    record(out, job)
    out.rename(tmp_path / "moved")
    manifest = Manifest.peek(tmp_path / "moved")
    assert manifest.owns(tmp_path / "moved" / "x.jpg")
    assert manifest.up_to_date(replace(job, output=tmp_path / "moved" / "x.jpg"), "s")


def test_names_of_any_bytes_round_trip(tmp_path: Path, out: Path) -> None:
    names = [b"caf\xe9.jpg", b"new\nline.jpg", "雪 📷.jpg".encode(), b"\xed\xb2\x80\xff.jpg", b'"\\.jpg']
    jobs = [make_job(tmp_path, os.fsdecode(name)) for name in names]
    record(out, *jobs)
    assert (out / NAME).read_bytes().count(b"\n") == len(names)
    manifest = Manifest.peek(out)
    assert all(manifest.up_to_date(job, "s") and manifest.owns(job.output) for job in jobs)


def test_a_torn_last_line_costs_that_photo_only(tmp_path: Path, out: Path) -> None:
    first, second, third = (make_job(tmp_path, f"{n}.jpg") for n in range(3))
    record(out, first, second)
    path = out / NAME
    path.write_bytes(path.read_bytes()[:-20])
    with Manifest.open(out) as manifest:
        assert manifest.up_to_date(first, "s")
        assert not manifest.up_to_date(second, "s")
        manifest.record(third, "s", third.output.stat())
    manifest = Manifest.peek(out)
    assert manifest.up_to_date(first, "s")
    assert manifest.up_to_date(third, "s"), "glued to the torn line"


@pytest.mark.parametrize(
    "junk",
    [
        bytes(range(256)) * 50,
        b"null\n[]\n{}\n1\n" + b'"x"\n',
        b'{"output":1,"output_size":1,"output_mtime_ns":1,"input":"a","size":1,"mtime_ns":1,"settings":"s"}\n',
        b'{"output":"x.jpg","output_size":true,"output_mtime_ns":1}\n',
        b"[" * 100_000 + b"\n",
        b"9" * 10_000 + b"\n",
        b"\xff\xfe\x00\n",
    ],
)
def test_junk_is_passed_over(out: Path, job: Job, junk: bytes) -> None:
    record(out, job)
    path = out / NAME
    path.write_bytes(junk + b"\n" + path.read_bytes() + junk)
    with Manifest.open(out) as manifest:
        assert manifest.up_to_date(job, "s")
        manifest.record(job, "t", job.output.stat())
    assert Manifest.peek(out).up_to_date(job, "t")


def test_unknown_fields_of_a_later_version_do_no_harm(out: Path, job: Job) -> None:
    record(out, job)
    path = out / NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}) + "\n")
    assert Manifest.peek(out).up_to_date(job, "s")


def test_ours_stays_ours_after_replacements_that_never_came(out: Path, job: Job) -> None:
    record(out, job)
    with Manifest.open(out) as manifest:
        for size in (11, 12):  # each noted, and cut off before its file was in place
            manifest.record(job, "new", Entry("x.jpg", False, size, job.output.stat().st_mtime_ns + 10**10))
            assert manifest.owns(job.output) and not manifest.up_to_date(job, "new")
    assert Manifest.peek(out).owns(job.output)
    job.output.write_bytes(b"somebody else's")
    assert not Manifest.peek(out).owns(job.output)
