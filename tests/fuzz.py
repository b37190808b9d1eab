"""Damaged photos of every format through decode and encode: each must end in a picture or in a PhotoError.

    python -m tests.fuzz --count 100000 --seed 1 --jobs 2

A case is made of (seed, number) alone, so a find is repeated with --only NUMBER. Cases run in processes of
their own with a limit on memory, so that crashes, hangs and hunger are found too. Ends with 1 after a find.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, MetadataPolicy
from lptn_cli.codecs.raw_exif import developed
from lptn_cli.errors import PhotoError

from .damage import case, originals

MOST_PIXELS = 1_000_000
MEMORY = 1 << 30  # bytes beyond what the libraries take, for photos of a megapixel
SECONDS = 60.0  # a photo of that size takes a fraction of one, but machines are shared
POLICIES: tuple[MetadataPolicy, ...] = ("keep", "no-gps", "none")


def outcome(data: bytes, number: int) -> str:
    """`written`, `memory`, the kind of PhotoError, or `BUG ...`."""
    try:
        if codecs.sniff(data) == "raw":  # LibRaw refuses most of these before it comes to that
            developed(data, 8, 8, 1, b"")
        image = codecs.decode(data, max_pixels=MOST_PIXELS)
        target = codecs.WRITTEN_AS[image.format]
        policy = POLICIES[number % 3]
        # AVIF takes its time
        codecs.encode(image, EncodeOptions("png" if target == "avif" else target, metadata=policy))
    except PhotoError as error:
        text = str(error)
        fine = text and "\n" not in text and len(text) < 300
        return error.kind if fine else f"BUG text {text[:400]!r}"
    except MemoryError:
        return "memory"
    except BaseException as error:  # noqa: BLE001  this is what is looked for
        return f"BUG {type(error).__name__}: {error}".replace("\n", " ")[:300]
    return "written"


def work(seed: int, numbers: range) -> None:
    """In a process of its own: a line before each case, and one after it."""
    originals()
    for data in originals().values():  # so that every library is there before the limit is
        with contextlib.suppress(PhotoError):
            codecs.decode(data)
    taken = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    for number in numbers:
        name, data = case(seed, number)
        print(f"{number} {name}", flush=True)
        print(outcome(data, number), flush=True)


@dataclass(frozen=True)
class Find:
    number: int
    name: str
    what: str


def run(count: int, seed: int, jobs: int, first: int = 0) -> tuple[Counter[tuple[str, str]], list[Find]]:
    """(how many cases of each format had each outcome, the finds)."""
    counts: Counter[tuple[str, str]] = Counter()
    finds: list[Find] = []
    results: queue.SimpleQueue[Find | None] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_watch, args=(seed, range(first + job, first + count, jobs), results))
        for job in range(jobs)
    ]
    for thread in threads:
        thread.start()
    running = jobs
    while running:
        found = results.get()
        if found is None:
            running -= 1
            continue
        counts[found.name.split(".")[-1], found.what.split()[0]] += 1
        if found.what.split()[0] in ("BUG", "crash", "hang"):
            finds.append(found)
            print(f"case {found.number} of {found.name}: {found.what}", file=sys.stderr, flush=True)
    return counts, finds


def _watch(seed: int, numbers: range, results: queue.SimpleQueue[Find | None]) -> None:
    """Run the numbers in a process; a new one goes on behind a case that ended the last."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    while numbers:
        steps = ",".join(map(str, (numbers.start, numbers.stop, numbers.step)))
        command = [sys.executable, "-m", "tests.fuzz", f"--work={steps}", f"--seed={seed}"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process, lines))
        reader.start()
        number, name = numbers[0], "start"
        wait = 10 * SECONDS  # libraries are loaded, files made
        while True:
            try:
                begun = lines.get(timeout=wait)
                if not begun:
                    if number != numbers[-1]:
                        results.put(Find(number, name, f"crash between cases with {process.wait()}"))
                    break
                number, name = int(begun.split()[0]), begun.split()[1]
                ended = lines.get(timeout=SECONDS)
            except queue.Empty:
                process.kill()
                results.put(Find(number, name, "hang"))
                break
            if not ended:
                results.put(Find(number, name, f"crash with {process.wait()}"))
                break
            results.put(Find(number, name, ended.strip()))
            wait = SECONDS
        process.kill()
        process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()
        numbers = numbers[numbers.index(number) + 1 :]
    results.put(None)


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Hand the lines over; an empty one is the end."""
    for line in process.stdout or ():
        lines.put(line)
    lines.put("")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, help="one case, in this process, written to fuzz-case")
    parser.add_argument("--work", help=argparse.SUPPRESS)  # start,stop,step
    options: Any = parser.parse_args()
    if options.work:
        work(options.seed, range(*map(int, options.work.split(","))))
        return 0
    if options.only is not None:
        name, data = case(options.seed, options.only)
        Path("fuzz-case").write_bytes(data)
        print(name, outcome(data, options.only))
        return 0
    began = time.monotonic()
    counts, finds = run(options.count, options.seed, options.jobs, options.first)
    for format in sorted({format for format, _ in counts}):
        row = {what: n for (of, what), n in sorted(counts.items()) if of == format}
        print(f"{format:6}", sum(row.values()), " ".join(f"{what}={n}" for what, n in row.items()))
    print(f"{sum(counts.values())} cases in {time.monotonic() - began:.0f} s, {len(finds)} finds")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
