"""The threads that walk photos along their path: how many, and when they stop."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lptn_cli import photos, pipeline
from lptn_cli.codecs.image import Pixels
from lptn_cli.manifest import Manifest
from lptn_cli.pipeline import retouch_all, retouch_one
from lptn_cli.plan import Job
from lptn_cli.report import Outcome, Report
from lptn_cli.settings import Settings
from lptn_cli.signals import Stop
from tests.looks import devices, failing, inverted, jobs, run_all


class Instrumented:
    """A look that notes how many calls are inside it, and how many photos are in work, at most."""

    def __init__(self) -> None:
        self.inside = self.most = self.calls = 0
        self.lock = threading.Lock()

    def __call__(self, pixels: Pixels, **options: Any) -> Pixels:
        with self.lock:
            self.calls += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.005)
        with self.lock:
            self.inside -= 1
        return pixels


def test_never_two_photos_on_one_device(tmp_path: Path, settings: Settings) -> None:
    one, two = Instrumented(), Instrumented()
    report = run_all(jobs(tmp_path, 12), devices(one, two), settings, workers=6)
    assert report.counts.written == 12 == one.calls + two.calls
    assert one.most == two.most == 1
    assert one.calls > 0 and two.calls > 0


def test_never_more_photos_in_work_than_workers(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_work = Instrumented()
    read = photos.read

    def reading(one: photos.Photo) -> bytes:
        in_work.calls += 1
        with in_work.lock:
            in_work.inside += 1
            in_work.most = max(in_work.most, in_work.inside)
        return read(one)

    def counting(job: Job, *rest: Any) -> Outcome:
        try:
            return retouch_one(job, *rest)
        finally:
            with in_work.lock:
                in_work.inside -= 1

    monkeypatch.setattr(photos, "read", reading)
    monkeypatch.setattr(pipeline, "retouch_one", counting)
    run_all(jobs(tmp_path, 12), devices(Instrumented()), settings, workers=3)
    assert in_work.calls == 12 and in_work.most == 3


def test_no_more_threads_than_photos(tmp_path: Path, settings: Settings) -> None:
    seen: set[str] = set()

    def look(pixels: Pixels, **options: Any) -> Pixels:
        seen.update(thread.name for thread in threading.enumerate() if thread.name.startswith("photo-"))
        return pixels

    run_all(jobs(tmp_path, 2), devices(look), settings, workers=16)
    assert seen <= {"photo-0", "photo-1"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photo-")]


@pytest.mark.parametrize("most", [1, 3])
def test_max_errors_begins_no_photo_after_the_last_failure(
    most: int, tmp_path: Path, settings: Settings
) -> None:
    todo = jobs(tmp_path, 10)
    report = run_all(todo, devices(failing(ValueError("x"))), settings, workers=1, max_errors=most)
    assert (report.counts.failed, report.counts.written) == (most, 0)


def test_max_errors_finishes_the_photos_in_work(tmp_path: Path, settings: Settings) -> None:
    todo = jobs(tmp_path, 30)
    ready = devices(failing(ValueError("x")), failing(ValueError("x")), failing(ValueError("x")))
    report = run_all(todo, ready, settings, workers=3, max_errors=2)
    assert 2 <= report.counts.failed <= 2 + 2


def test_one_bad_photo_never_ends_a_batch(tmp_path: Path, settings: Settings) -> None:
    todo = jobs(tmp_path, 5)
    todo[1].photo.path.write_bytes(b"bad")
    report = run_all(todo, devices(inverted), settings, workers=2)
    assert (report.counts.failed, report.counts.written) == (1, 4)


def test_a_stop_that_was_asked_begins_nothing(tmp_path: Path, settings: Settings) -> None:
    stop = Stop()
    stop.asked = True
    report = run_all(jobs(tmp_path, 5), devices(inverted), settings, stop=stop)
    assert report.counts.done == 0 and not (tmp_path / "out").exists()


def test_a_stop_in_the_middle_finishes_what_is_in_work(tmp_path: Path, settings: Settings) -> None:
    stop = Stop()

    def look(pixels: Pixels, **options: Any) -> Pixels:
        stop.asked = True
        return pixels

    report = run_all(jobs(tmp_path, 8), devices(look), settings, workers=2, stop=stop)
    assert 1 <= report.counts.written <= 2
    assert len(list((tmp_path / "out").iterdir())) == report.counts.written


def test_a_reader_of_stdout_that_went_away_ends_the_run(tmp_path: Path, settings: Settings) -> None:
    class Gone(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError

    report = Report("print", quiet=True, stdout=Gone())
    run_all(jobs(tmp_path, 30), devices(Instrumented()), settings, workers=1, report=report)
    assert report.counts.exit_code == 141 and report.counts.written < 30


def test_a_report_that_fails_still_lets_photos_in_work_be_recorded(
    tmp_path: Path, settings: Settings
) -> None:
    class Full(io.BytesIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    todo = jobs(tmp_path, 30)
    report = Report("print", quiet=True, stdout=Full())
    with Manifest.open(tmp_path / "out") as manifest:
        with pytest.raises(Exception, match="cannot write to stdout"):
            retouch_all(todo, devices(Instrumented()), settings, manifest, report, workers=2, stop=Stop())
        written = [job for job in todo if job.output.exists()]
        assert 0 < len(written) < 30
        assert all(manifest.up_to_date(job, settings.key(job)) for job in written)


def test_fewer_threads_than_wished_do_all_the_photos(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers and clusters limit threads."""
    allowed = iter([True, True])
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if not next(allowed, False):
            raise RuntimeError("can't start new thread")
        start(thread)

    todo = jobs(tmp_path, 6)
    monkeypatch.setattr(threading.Thread, "start", limited)
    report = run_all(todo, devices(inverted), settings, workers=4)
    assert report.counts.written == 6 and all(job.output.exists() for job in todo)
    with pytest.raises(RuntimeError, match="new thread"):
        run_all(todo, devices(inverted), settings, workers=4)
