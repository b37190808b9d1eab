"""Ctrl-C, SIGTERM, SIGHUP (the terminal is closed): the first lets a run finish what it has begun, the
second ends it at once.

And standard streams that are closed, or whose reader went away (SIGPIPE).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from lptn_cli.atomic import reason
from lptn_cli.errors import OutputError

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def heard() -> list[signal.Signals]:
    """SIGNALS, less those that nohup, or a shell for its jobs in the background, has ignored."""
    return [each for each in SIGNALS if signal.getsignal(each) != signal.SIG_IGN]


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
        for each in previous:
            signal.signal(each, signal.SIG_DFL)
        # os.write: a handler may interrupt a print to the same stream; Ctrl-C ends the `tee` that read it too
        with suppress(OSError):
            os.write(2, f"\nlptn: {what}; once more stops at once\n".encode())

    previous = {number: signal.getsignal(number) for number in heard()}
    for number in previous:
        signal.signal(number, drain)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def open_closed_streams() -> None:
    """Closed standard streams become /dev/null, so that no photo is opened as one and gets our messages."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # gets the lowest free number, which is its own
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115


def flush_output() -> None:
    """Write out what is buffered; for a reader that went away it goes nowhere, or Python exits with 120.

    Raises OutputError where stdout's disk is full.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                raise unwritable(error) from error


def unwritable(error: OSError) -> OutputError:
    """What to say where stdout cannot be written."""
    fact, _ = reason(error)
    return OutputError(f"cannot write to stdout: {fact}; send it elsewhere, then run again")
