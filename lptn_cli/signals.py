"""Ctrl-C and SIGTERM: the first lets a run finish what it has begun, the second ends it at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether a run should begin nothing more, and the signal that said so (0: none)."""

    def __init__(self) -> None:
        self.asked = False
        self.signal = 0


@contextmanager
def drain_on_signals(what: str) -> Iterator[Stop]:
    """While inside, the first signal sets the Stop that is given and says `what` now happens."""
    stop = Stop()

    def drain(number: int, frame: FrameType | None) -> None:
        stop.asked, stop.signal = True, number
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        # os.write: a handler may interrupt a print to the same stream
        os.write(2, f"\nlptn: {what}; once more stops at once\n".encode())

    previous = {number: signal.signal(number, drain) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
