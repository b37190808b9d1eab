"""The `lptn` command, as `python -m lptn_cli` too. Ctrl-C is obeyed without a word while it is loaded."""

from __future__ import annotations

import os
import signal


def main() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # no shell or nohup has it ignored
        signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    from lptn_cli import cli

    cli.main()


if __name__ == "__main__":
    main()
