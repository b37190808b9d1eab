"""What a training run tells: a bar or lines on stderr, a JSON line a step on stdout if asked for."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import BinaryIO, Self

from lptn_cli.bar import Bar, can_draw, tell
from lptn_cli.signals import Stop
from lptn_cli.training.loop import Step

LINE_INTERVAL = 10.0  # seconds between lines when stderr is no terminal


class Busy:
    """Tells how far something is that takes a while: on the bar's line, or now and then on a line of its own.

    A context manager: the bar lives inside it.
    """

    def __init__(self, total: float | None = None) -> None:
        self._total = total  # of what the bar shows
        self._bar = Bar() if can_draw() else None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start(self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.close()

    def note(self, text: str) -> None:
        tell(text, self._bar)

    def busy(self, text: str) -> None:
        if self._bar:
            self._bar.update(0, text)
        elif self._line_is_due():
            self.note(text)

    def _line_is_due(self) -> bool:
        """Without a bar, one now and then."""
        due = not self._bar and time.monotonic() - self._last_line >= LINE_INTERVAL
        if due:
            self._last_line = time.monotonic()
        return due


class TrainingReport(Busy):
    """Hears of every step and note of one run. A context manager: the bar lives inside it.

    When stdout cannot be written any more, `stop` is asked, and `lost` says why: no state is lost for that.
    """

    def __init__(self, minutes: float, *, as_json: bool, stop: Stop, stdout: BinaryIO | None = None) -> None:
        super().__init__(minutes * 60)
        self._as_json, self._stop = as_json, stop
        self.lost: OSError | None = None
        self._stdout = sys.stdout.buffer if stdout is None else stdout

    def step(self, step: Step) -> None:
        if self._as_json and not self.lost:
            try:
                self._stdout.write(step.as_json().encode() + b"\n")
                self._stdout.flush()
            except OSError as error:
                self.lost, self._stop.asked = error, True
        if self._bar:
            self._bar.update(step.seconds, step.sentence())
        if self._line_is_due() or step.measured:
            self.note(step.sentence())
