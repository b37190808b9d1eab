"""Counters, exit codes, lines and listings of a run, without a photo or a terminal."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path, PurePath
from typing import Any

import pytest

from lptn_cli import report as reports
from lptn_cli.errors import OutputError
from lptn_cli.photos import Photo
from lptn_cli.plan import STDOUT, Job
from lptn_cli.report import Counts, Listing, Outcome, Report


def job(name: str = "a.jpg", output: Path | None = None) -> Job:
    photo = Photo(Path("in") / name, PurePath(name), 10, 20)
    return Job(1, photo, output or Path("out") / name, None)


WRITTEN = Outcome(job(), "written", 4000, 3000, 8, {"decode": 30, "look": 200})
CURRENT = Outcome(job("b.jpg"), "up-to-date")
FAILED = Outcome(job("c.jpg"), "failed", error="decode", message="it is truncated")


class Clock:
    """Stands in for the time module; seconds pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(reports, "time", made)
    return made


def make(listing: Listing = "nothing", **options: Any) -> tuple[Report, io.BytesIO]:
    stdout = io.BytesIO()
    report = Report(listing, stdout=stdout, **options)
    report.start(3, version="1", preset="dusk", sha256="abc", device="cpu")
    return report, stdout


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        (Counts(), 0),
        (Counts(written=2, up_to_date=3), 0),
        (Counts(written=2, failed=1), 1),
        (Counts(failed=1, stdout_closed=True), 141),
        (Counts(failed=1, signal=signal.SIGINT), 130),
        (Counts(signal=signal.SIGTERM, stdout_closed=True), 143),
    ],
)
def test_the_exit_code_follows_from_the_counts(counts: Counts, code: int) -> None:
    assert counts.exit_code == code


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (Counts(), "0 written in 2.0 s"),
        (Counts(total=1, written=1, pixels=24_000_000), "1 written in 2.0 s, 12 MP/s"),
        (Counts(total=9, written=9, pixels=600_000), "9 written in 2.0 s, 0.3 MP/s"),
        (Counts(total=3, up_to_date=2, failed=1), "0 written, 2 up to date, 1 failed in 2.0 s"),
        (Counts(total=9, failed=1), "0 written, 1 failed, 8 left in 2.0 s"),
        (Counts(total=9, failed=1, signal=2), "0 written, 1 failed, 8 not started in 2.0 s"),
        (Counts(total=9, stdout_closed=True), "0 written, 9 not started in 2.0 s"),
    ],
)
def test_the_summary_in_words(counts: Counts, sentence: str) -> None:
    assert counts.sentence(2.0) == sentence


def test_outcomes_are_counted() -> None:
    counts = Counts(total=4)
    for outcome in (WRITTEN, WRITTEN, CURRENT, FAILED):
        counts.add(outcome)
    assert (counts.written, counts.up_to_date, counts.failed, counts.done) == (2, 1, 1, 4)
    assert counts.pixels == 24_000_000


def test_json_lines(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    report, stdout = make("json")
    clock.now += 1.5
    for outcome in (WRITTEN, CURRENT, FAILED):
        report.photo(outcome)
    report.finish("")
    assert [json.loads(line) for line in stdout.getvalue().splitlines()] == [
        {"event": "start", "schema": 1, "version": "1", "preset": "dusk", "weights_sha256": "abc",
         "device": "cpu", "photos": 3},
        {"event": "photo", "status": "written", "input": "in/a.jpg", "output": "out/a.jpg", "width": 4000,
         "height": 3000, "depth": 8, "ms": {"decode": 30, "look": 200}},
        {"event": "photo", "status": "up-to-date", "input": "in/b.jpg", "output": "out/b.jpg"},
        {"event": "photo", "status": "failed", "input": "in/c.jpg", "error": "decode",
         "message": "it is truncated"},
        {"event": "summary", "written": 1, "up_to_date": 1, "failed": 1, "seconds": 1.5, "exit": 1},
    ]  # fmt: skip
    assert "in/c.jpg: it is truncated" in capsys.readouterr().err


@pytest.mark.parametrize(("listing", "end"), [("print", b"\n"), ("print0", b"\0")])
def test_listings_name_what_was_written_byte_for_byte(listing: Listing, end: bytes) -> None:
    report, stdout = make(listing)
    odd = Outcome(job("\udcff\n.jpg"), "written")
    for outcome in (WRITTEN, CURRENT, FAILED, odd):
        report.photo(outcome)
    report.finish("")
    assert stdout.getvalue() == b"out/a.jpg" + end + b"out/\xff\n.jpg" + end


def test_stdout_is_empty_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    report, stdout = make()
    for outcome in (WRITTEN, CURRENT, FAILED):
        report.photo(outcome)
    report.finish(" -> out")
    lines = capsys.readouterr().err.splitlines()
    assert stdout.getvalue() == b""
    assert lines[0] == "lptn: in/c.jpg: it is truncated"
    assert lines[1].startswith("lptn: 1 written, 1 up to date, 1 failed in ") and lines[1].endswith(" -> out")
    assert len(lines) == 2


def test_the_image_of_stdout_is_all_that_is_there() -> None:
    report, stdout = make()
    report.photo(Outcome(job(output=STDOUT), "written", to_stdout=b"an image"))
    report.finish("")
    assert stdout.getvalue() == b"an image"


def test_quiet_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    def told(report: Report) -> list[str]:
        for outcome in (WRITTEN, CURRENT, FAILED):
            report.photo(outcome)
        report.finish("")
        return capsys.readouterr().err.splitlines()

    assert told(make(quiet=True)[0]) == ["lptn: in/c.jpg: it is truncated"]
    assert told(make(verbose=True)[0])[:2] == [
        "lptn: in/a.jpg -> out/a.jpg: written, decode 30 ms, look 200 ms",
        "lptn: in/b.jpg -> out/b.jpg: up-to-date",
    ]


def test_off_a_terminal_a_line_every_ten_seconds_at_most(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    report, _ = make()
    report.counts.total = 100
    for _ in range(90):  # half a second each: 45 s
        clock.now += 0.5
        report.photo(WRITTEN)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"lptn: {n} of 100 photos, 0 failed, 24 MP/s" for n in (20, 40, 60, 80)]


def test_names_cannot_fake_lines(capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = make(verbose=True)
    report.photo(Outcome(job("x\nlptn: all is well\x1b[2J.jpg"), "failed", error="read", message="gone"))
    assert capsys.readouterr().err == "lptn: in/x\\nlptn: all is well\\x1b[2J.jpg: gone\n"


class Broken(io.BytesIO):
    """A stdout that fails so when it is flushed."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error, self.tried = error, 0

    def flush(self) -> None:
        self.tried += 1
        raise self.error


def test_a_reader_that_went_away_is_noted_once() -> None:
    stdout = Broken(BrokenPipeError())
    report = Report("print", stdout=stdout)
    report.photo(WRITTEN)
    report.photo(WRITTEN)
    assert (report.counts.exit_code, report.counts.written, stdout.tried) == (141, 2, 1)


def test_a_write_that_is_cut_short_goes_on() -> None:
    class Short(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:3])

    stdout = Short()
    Report(stdout=stdout).photo(Outcome(job(output=STDOUT), "written", to_stdout=b"an image"))
    assert stdout.getvalue() == b"an image"


def test_a_full_disk_under_stdout_is_one_clear_line() -> None:
    report = Report("print", stdout=Broken(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match=r"^cannot write to stdout: the disk is full; "):
        report.photo(WRITTEN)


def test_a_stderr_that_nobody_reads_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    report, stdout = make("print")
    report.photo(FAILED)
    report.photo(WRITTEN)
    report.finish("")
    assert stdout.getvalue() == b"out/a.jpg\n"


def test_a_plan() -> None:
    report, stdout = make()
    report.plan(job("a\tb.jpg"), "write")
    report.plan(job("b.jpg"), "exists")
    assert stdout.getvalue() == b"write\tin/a\\tb.jpg\tout/a\\tb.jpg\nexists\tin/b.jpg\tout/b.jpg\n"
