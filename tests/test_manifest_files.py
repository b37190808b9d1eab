"""The manifest's file: that no crash, full disk or second run spoils it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lptn_cli import manifest_files as files_module
from lptn_cli.errors import OutputError, WriteError
from lptn_cli.manifest import Manifest
from lptn_cli.photos import MANIFEST as NAME
from lptn_cli.plan import Job
from tests.manifests import make_job, open_files, record


def lines(out: Path) -> int:
    return (out / NAME).read_bytes().count(b"\n")


def test_superseded_lines_are_compacted_on_opening(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "_SPARE_LINES", 4)
    jobs = [make_job(tmp_path, f"{n}.jpg") for n in range(2)]
    for settings in ("a", "b", "c", "d"):
        record(out, *jobs, settings=settings)
    assert lines(out) == 8, "not worth it yet"
    record(out, *jobs, settings="e")
    with Manifest.open(out) as manifest:
        assert lines(out) == 2
        assert all(manifest.up_to_date(job, "e") for job in jobs)
        manifest.record(jobs[0], "f", jobs[0].output.stat())  # goes to the new file
    assert Manifest.peek(out).up_to_date(jobs[0], "f")
    assert [path.name for path in out.glob(".*")] == [NAME]


def test_no_compacting_under_a_run_that_has_it_open(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what that run records from then on goes to a file that is no longer there."""
    monkeypatch.setattr(files_module, "_SPARE_LINES", 0)
    jobs = [make_job(tmp_path, f"{n}.jpg") for n in range(2)]
    with Manifest.open(out) as first:
        for settings in "abcde":
            first.record(jobs[0], settings, jobs[0].output.stat())
        with Manifest.open(out) as second:
            first.record(jobs[1], "s", jobs[1].output.stat())
            second.record(jobs[0], "f", jobs[0].output.stat())
    manifest = Manifest.peek(out)
    assert manifest.up_to_date(jobs[1], "s")
    assert manifest.up_to_date(jobs[0], "f")


def test_a_manifest_replaced_while_opening_is_opened_again(
    out: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(out, job)
    real = fcntl.flock
    replaced: list[bool] = []

    def replace_once(descriptor: int, operation: int) -> None:
        if not replaced:
            replaced.append(True)
            copy = out / "copy"
            copy.write_bytes((out / NAME).read_bytes())
            copy.replace(out / NAME)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replace_once)
    record(out, job, settings="t")
    assert Manifest.peek(out).up_to_date(job, "t")


def test_works_where_there_are_no_locks(out: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(files_module, "_SPARE_LINES", 0)
    for settings in "abcd":
        record(out, job, settings=settings)
    assert lines(out) == 4
    assert Manifest.peek(out).up_to_date(job, "d")


def test_threads_and_processes_append_at_once(tmp_path: Path, out: Path) -> None:
    job = make_job(tmp_path, "x" * 200 + ".jpg")
    code = (
        "import sys, pathlib\n"
        "from lptn_cli.manifest import Manifest\n"
        "from lptn_cli.photos import Photo, from_stdin\nfrom lptn_cli.plan import Job\n"
        "out, source, output, run = map(pathlib.Path, sys.argv[1:])\n"
        "photo = Photo(source, source, 5, 1)\n"
        "with Manifest.open(out) as manifest:\n"
        "    for n in range(100):\n"
        "        manifest.record(Job(n, photo, output, None), f'{run}-{n}' * 20, output.stat())\n"
    )
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", code, str(out), str(job.photo.path), str(job.output)]
    runs = [subprocess.Popen([*command, run], cwd=root) for run in ("one", "two")]
    with Manifest.open(out) as manifest:

        def record_many(thread: int) -> None:
            for n in range(40):
                manifest.record(job, f"{thread}-{n}" * 20, job.output.stat())

        threads = [threading.Thread(target=record_many, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [run.wait(timeout=60) for run in runs] == [0, 0]
    seen = [json.loads(line)["settings"] for line in (out / NAME).read_text().splitlines()]
    assert len(seen) == len(set(seen)) == 2 * 100 + 4 * 40


def test_threads_wait_for_the_disk_side_by_side(out: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network disk may take a tenth of a second each time."""
    both = threading.Barrier(2, timeout=20)
    monkeypatch.setattr(os, "fsync", lambda _: both.wait())
    with Manifest.open(out) as manifest, ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda settings: manifest.record(job, settings, job.output.stat()), "ab"))
    assert lines(out) == 2


def test_open_makes_the_folder_and_peek_makes_nothing(tmp_path: Path, job: Job) -> None:
    folder = tmp_path / "new" / "deep"
    assert not Manifest.peek(folder).up_to_date(job, "s")
    assert not (tmp_path / "new").exists()
    with Manifest.open(folder):
        assert (folder / NAME).is_file()


def test_peek_writes_nothing(out: Path, job: Job) -> None:
    record(out, job)
    path = out / NAME
    path.write_bytes(path.read_bytes() + b'{"torn')
    before = path.read_bytes(), path.stat().st_mtime_ns
    manifest = Manifest.peek(out)
    assert manifest.up_to_date(job, "s")
    with pytest.raises(ValueError, match="reading only"):
        manifest.record(job, "t", job.output.stat())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_close_twice_and_record_after_close(out: Path, job: Job) -> None:
    manifest = Manifest.open(out)
    manifest.close()
    manifest.close()
    with pytest.raises(ValueError, match="closed"):
        manifest.record(job, "s", job.output.stat())


def test_nothing_stays_open(out: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/fd").is_dir():
        pytest.skip("needs /dev/fd")
    monkeypatch.setattr(files_module, "_SPARE_LINES", 0)
    before = open_files()
    for settings in "abcdef":
        record(out, job, settings=settings)
    (out / NAME).unlink()
    (out / NAME).mkdir()
    with pytest.raises(OutputError):
        Manifest.open(out)
    assert open_files() == before


def test_a_disk_that_fills_up_spoils_neither_what_was_nor_what_comes(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [make_job(tmp_path, f"{n}.jpg") for n in range(3)]
    real = os.write
    with Manifest.open(out) as manifest:
        manifest.record(jobs[0], "s", jobs[0].output.stat())
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:30]))
        with pytest.raises(WriteError, match="the disk is full"):
            manifest.record(jobs[1], "s", jobs[1].output.stat())
        assert not manifest.up_to_date(jobs[1], "s")
        monkeypatch.setattr(os, "write", real)
        manifest.record(jobs[2], "s", jobs[2].output.stat())
    manifest = Manifest.peek(out)
    assert [manifest.up_to_date(job, "s") for job in jobs] == [True, False, True]


def test_a_folder_that_is_taken_away_is_told_for_every_photo(out: Path, job: Job) -> None:
    with Manifest.open(out) as manifest:
        manifest.record(job, "s", job.output.stat())
        out.rename(out.with_name("elsewhere"))
        with pytest.raises(WriteError, match="its folder has vanished"):
            manifest.record(job, "s", (out.with_name("elsewhere") / job.output.name).stat())


def test_a_fifo_in_its_place_never_hangs(out: Path) -> None:
    out.mkdir()
    os.mkfifo(out / NAME)
    with pytest.raises(OutputError):
        Manifest.open(out)
    Manifest.peek(out)


def test_a_line_is_on_the_disk_before_its_photo(out: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    with Manifest.open(out) as manifest:
        monkeypatch.setattr(os, "fsync", lambda number: sizes.append(os.fstat(number).st_size))
        manifest.record(job, "s", job.output.stat())
    assert sizes == [(out / NAME).stat().st_size] and sizes[0] > 0


def test_more_parts_than_files_that_may_be_open(tmp_path: Path, out: Path) -> None:
    jobs = [make_job(tmp_path, f"{n}.jpg") for n in range(80)]
    for n, job in enumerate(jobs):
        with Manifest.open(out, f"shard-{n}") as manifest:
            manifest.record(job, "s", job.output.stat())
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 40, hard))
    try:
        entries = files_module.load_all(out)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    assert len(entries) == 80


def test_what_others_add_is_read_once(tmp_path: Path, out: Path, job: Job) -> None:
    record(out, job)
    tails = files_module.Tails(out)
    assert set(tails.added()) == {"x.jpg"} and tails.added() == {}
    record(out, make_job(tmp_path, "y.jpg"))
    with (out / NAME).open("ab") as file:
        file.write(b'{"output": "on its w')
    assert set(tails.added()) == {"y.jpg"} and tails.added() == {}
    files_module._compact(out / NAME)  # the file is another, even should it be longer
    assert set(tails.added()) == {"x.jpg", "y.jpg"}


def test_an_older_line_that_is_read_later_changes_nothing(out: Path, job: Job) -> None:
    record(out, job)
    with Manifest.open(out) as manifest:
        manifest.record(job, "newer", job.output.stat())
        manifest._tails._read.clear()
        line = (out / NAME).read_bytes().splitlines()[0]
        (out / NAME).write_bytes(line + b"\n")  # as if the newer one were in a part not read yet
        manifest.reload()
        assert manifest.up_to_date(job, "newer") and not manifest.up_to_date(job, "s")
