"""What a run tells: counters and exit code, lines on stderr, paths or JSON Lines on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, BinaryIO, Literal

from lptn_cli.bar import Bar, can_draw, tell
from lptn_cli.photos import shown
from lptn_cli.plan import Job
from lptn_cli.signals import unwritable

Status = Literal["written", "up-to-date", "failed"]
Listing = Literal["nothing", "print", "print0", "json"]

SCHEMA = 1
QUIET_INTERVAL = 10.0  # seconds between lines when stderr is no terminal


@dataclass(frozen=True)
class Outcome:
    """How one photo ended. ms: milliseconds spent per stage. error, message: there when it failed."""

    job: Job
    status: Status
    width: int = 0
    height: int = 0
    depth: int = 8
    ms: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    message: str = ""
    note: str = ""  # of something that went well, but not as one might expect
    to_stdout: bytes = b""  # the encoded photo of `-o -`

    def as_json(self) -> dict[str, Any]:
        record: dict[str, Any] = {"event": "photo", "status": self.status, "input": str(self.job.photo.path)}
        if self.status == "failed":
            return record | {"error": self.error, "message": self.message}
        record["output"] = str(self.job.output)
        if self.status == "written":
            record |= {"width": self.width, "height": self.height, "depth": self.depth, "ms": dict(self.ms)}
        return record


@dataclass
class Counts:
    """Counters of a run; the exit code follows from them (man lptn, EXIT STATUS)."""

    total: int = 0
    written: int = 0
    up_to_date: int = 0
    failed: int = 0
    pixels: int = 0
    signal: int = 0  # the signal that ended the run early, or 0
    stdout_closed: bool = False

    @property
    def done(self) -> int:
        return self.written + self.up_to_date + self.failed

    @property
    def exit_code(self) -> int:
        if self.signal:
            return 128 + self.signal
        if self.stdout_closed:
            return 141
        return 1 if self.failed else 0

    def add(self, outcome: Outcome) -> None:
        self.pixels += outcome.width * outcome.height
        if outcome.status == "written":
            self.written += 1
        elif outcome.status == "up-to-date":
            self.up_to_date += 1
        else:
            self.failed += 1

    def speed(self, seconds: float) -> str:
        rate = self.pixels / max(seconds, 1e-3) / 1e6
        return f"{rate:.0f} MP/s" if rate >= 9.95 else f"{rate:.1f} MP/s"

    def sentence(self, seconds: float) -> str:
        parts = [f"{self.written} written"]
        if self.up_to_date:
            parts.append(f"{self.up_to_date} up to date")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if left := self.total - self.done:
            parts.append(f"{left} not started" if self.signal or self.stdout_closed else f"{left} left")
        rate = f", {self.speed(seconds)}" if self.written and seconds > 0 else ""
        return f"{', '.join(parts)} in {seconds:.1f} s{rate}"


class Report:
    """Tells the outcomes of one run as they come. A context manager: the bar lives inside it.

    data goes to `stdout` only as `listing` asks; everything for people goes to stderr.
    """

    def __init__(
        self,
        listing: Listing = "nothing",
        *,
        quiet: bool = False,
        verbose: bool = False,
        bar: bool = True,
        stdout: BinaryIO | None = None,
    ) -> None:
        self.counts = Counts()
        self._listing, self._quiet, self._verbose = listing, quiet, verbose
        self._stdout = sys.stdout.buffer if stdout is None else stdout
        self._bar = Bar(counts=True) if bar and not quiet and can_draw() else None
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.close()

    def start(self, total: int, *, version: str, preset: str, sha256: str, device: str) -> None:
        self.counts.total = total
        self._started = self._last_line = time.monotonic()
        if self._listing == "json":
            facts = {"version": version, "preset": preset, "weights_sha256": sha256, "device": device}
            self._emit_json({"event": "start", "schema": SCHEMA, **facts, "photos": total})
        if self._bar:
            self._bar.start(total)

    def plan(self, job: Job, state: str) -> None:
        """One line of a dry run: `state` is write, up-to-date, exists or unreadable."""
        if self._listing == "json":
            paths = {"input": str(job.photo.path), "output": str(job.output)}
            self._emit_json({"event": "plan", "status": state, **paths})
        elif self._listing == "nothing":
            self.emit(f"{state}\t{shown(job.photo.path)}\t{shown(job.output)}\n".encode())
        elif state == "write":
            self._emit_path(job)

    def photo(self, outcome: Outcome) -> None:
        """Count and tell one outcome."""
        self.counts.add(outcome)
        self._list(outcome)
        name = shown(outcome.job.photo.path)
        if outcome.note:
            self.line(f"{name}: {outcome.note}")
        if outcome.status == "failed":
            self.line(f"{name}: {outcome.message}", important=True)
        elif self._verbose:
            told = ", ".join([outcome.status, *(f"{stage} {ms} ms" for stage, ms in outcome.ms.items())])
            self.line(f"{name} -> {shown(outcome.job.output)}: {told}")
        self._tick()

    def finish(self, where: str) -> None:
        """The summary: a JSON line if asked for, and one line for people."""
        seconds = time.monotonic() - self._started
        if self._bar:
            self._bar.close()
        counts = self.counts
        if self._listing == "json":
            summary = {"written": counts.written, "up_to_date": counts.up_to_date, "failed": counts.failed}
            self._emit_json(
                {"event": "summary", **summary, "seconds": round(seconds, 3), "exit": counts.exit_code}
            )
        self.line(f"{counts.sentence(seconds)}{where}")

    def line(self, text: str, *, important: bool = False) -> None:
        """One line on stderr, above the bar; `quiet` keeps only important ones."""
        if important or not self._quiet:
            tell(text, self._bar)

    def _list(self, outcome: Outcome) -> None:
        if outcome.to_stdout:
            self.emit(outcome.to_stdout)
        elif self._listing == "json":
            self._emit_json(outcome.as_json())
        elif self._listing in ("print", "print0") and outcome.status == "written":
            self._emit_path(outcome.job)

    def _emit_path(self, job: Job) -> None:
        self.emit(os.fsencode(job.output) + (b"\0" if self._listing == "print0" else b"\n"))

    def _emit_json(self, record: Mapping[str, object]) -> None:
        self.emit(json.dumps(record).encode() + b"\n")

    def emit(self, data: bytes) -> None:
        """Bytes on stdout, at once. A reader that went away is noted; raises OutputError for a full disk."""
        if self.counts.stdout_closed:
            return
        try:
            rest = memoryview(data)
            while rest:  # under PYTHONUNBUFFERED a signal can cut a write short
                rest = rest[self._stdout.write(rest) :]
            self._stdout.flush()
        except BrokenPipeError:
            self.counts.stdout_closed = True
        except OSError as error:
            raise unwritable(error) from error

    def _tick(self) -> None:
        counts, now = self.counts, time.monotonic()
        if self._bar:
            self._bar.update(counts.done, f"photos, {counts.speed(now - self._started)}")
        elif now - self._last_line >= QUIET_INTERVAL and counts.done < counts.total:
            self._last_line = now
            speed = counts.speed(now - self._started)
            self.line(f"{counts.done} of {counts.total} photos, {counts.failed} failed, {speed}")
