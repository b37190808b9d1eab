"""What a training run tells: a bar or lines on stderr, a JSON line a step on stdout if asked for."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import BinaryIO

from lptn_cli.bar import Bar, can_draw, tell
from lptn_cli.signals import Stop
from lptn_cli.training.loop import Step

LINE_INTERVAL = 10.0  # seconds between lines when stderr is no terminal


class TrainingReport:
    """Hears of every step and note of one run. A context manager: the bar lives inside it.

    When stdout cannot be written any more, `stop` is asked, and `lost` says why: no state is lost for that.
    """

    def __init__(self, minutes: float, *, as_json: bool, stop: Stop, stdout: BinaryIO | None = None) -> None:
        self._seconds, self._as_json, self._stop = minutes * 60, as_json, stop
        self.lost: OSError | None = None
        self._stdout = sys.stdout.buffer if stdout is None else stdout
        self._bar = Bar() if can_draw() else None
        self._last_line = -math.inf

    def __enter__(self) -> TrainingReport:
        if self._bar:
            self._bar.start(self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.close()

    def note(self, text: str) -> None:
        tell(text, self._bar)

    def step(self, step: Step) -> None:
        if self._as_json and not self.lost:
            try:
                self._stdout.write(step.as_json().encode() + b"\n")
                self._stdout.flush()
            except OSError as error:
                self.lost, self._stop.asked = error, True
        if self._bar:
            self._bar.update(step.seconds, step.sentence())
        if step.measured or (not self._bar and time.monotonic() - self._last_line >= LINE_INTERVAL):
            self._last_line = time.monotonic()
            self.note(step.sentence())
