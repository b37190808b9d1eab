"""Running `lptn`: in this process, which has loaded torch already (`run`), or as one of its own (`spawn`)."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from lptn_cli import cli, codecs
from lptn_cli.codecs.image import EncodeOptions, Format, Image

LPTN = str(Path(sys.executable).with_name("lptn"))
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
on_linux = pytest.mark.skipif(sys.platform == "darwin", reason="file names are Unicode there")


@dataclass(frozen=True)
class Ran:
    code: int
    stdout: bytes
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def photos(self) -> dict[str, str]:
        """Input's name -> status, of a run with --json."""
        return {Path(e["input"]).name: e["status"] for e in self.events if e["event"] == "photo"}

    @property
    def error(self) -> str:
        """The one line on stderr."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith("lptn: ")
        return lines[0]


Retouch = Callable[..., Ran]


@contextmanager
def streams(stdin: Any, stdout: Any, stderr: Any) -> Iterator[None]:
    before = sys.stdin, sys.stdout, sys.stderr
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for number, handler in handlers.items():
            signal.signal(number, handler)


def run(*words: object, stdin: bytes = b"", stdout: BinaryIO | None = None, stderr: Any = None) -> Ran:
    """`lptn` in this process. stdout, stderr: real streams instead of those whose bytes come back."""
    out, err = io.BytesIO(), io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    wrapped = io.TextIOWrapper(stdout or out, write_through=True)
    arguments, sys.argv = sys.argv, ["lptn", *map(str, words)]
    try:
        given = io.TextIOWrapper(io.BytesIO(stdin))
        with streams(given, wrapped, stderr or err), pytest.raises(SystemExit) as left:
            cli.main()
    finally:
        sys.argv = arguments
        wrapped.detach()
    code = left.value.code
    return Ran(code if isinstance(code, int) else 0, out.getvalue(), err.buffer.getvalue().decode())


def environment(**more: str) -> dict[str, str]:
    """That of a user: stdout is buffered. One thread, so that processes do not wait for each other's."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | {"OMP_NUM_THREADS": "1"} | more


def spawn(*words: object, env: dict[str, str] | None = None, **options: Any) -> Ran:
    """`lptn` as a process of its own."""
    command = [LPTN, *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=60, env=env or environment(), **options)
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def save(path: Path, pixels: Any, format: Format | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    format = format or codecs.OUTPUT_SUFFIXES[path.suffix.lower()]
    path.write_bytes(codecs.encode(Image(pixels, format), EncodeOptions(format, **options)))
    return path


def load(path: Path) -> Image:
    return codecs.decode(path.read_bytes())


def modules_of(*words: object, **options: Any) -> tuple[Ran, set[str]]:
    """A process of `lptn` and which heavy modules it had loaded when it ended."""
    code = (
        "import sys; from lptn_cli.cli import main\n"
        "try: main()\n"
        "finally: print(*{'torch', 'cv2', 'numpy', 'PIL'} & sys.modules.keys(), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, timeout=60, **options
    )
    *lines, heavy = done.stderr.decode().split("\n")[:-1]
    return Ran(done.returncode, done.stdout, "\n".join(lines)), set(heavy.split())


def tree(folder: Path) -> set[str]:
    """Files below, but the manifest."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith(".lptn-manifest")}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {name: ((folder / name).read_bytes(), (folder / name).stat().st_mtime_ns) for name in tree(folder)}


def touch(root: Path, *names: str) -> None:
    """Files whose bytes are their names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())
