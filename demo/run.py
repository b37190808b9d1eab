"""`make demo`: render photos (or take yours), give them every look there is, and show before and after."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from demo.page import Look, write_page
from demo.scenes import write_demo_photos
from demo.sheet import write_sheet
from lptn_cli import preset as presets
from lptn_cli.discover import discover

SHEET_ROWS = 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where everything goes")
    parser.add_argument("--photos", type=Path, help="a folder of your own photos instead of rendered scenes")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the rendered scenes, 1 = 4K")
    options = parser.parse_args()
    photos: Path = options.photos or options.out / "photos"
    if options.photos is None and not photos.is_dir():
        print("rendering 4K scenes ...", flush=True)
        write_demo_photos(photos, scale=options.scale)
    names = list(presets.available())
    for name in names:
        print(f"lptn retouch {photos} -o {options.out / name} -p {name}", flush=True)
        command = [sys.executable, "-m", "lptn_cli", "retouch", str(photos)]
        done = subprocess.run([*command, "-o", str(options.out / name), "-p", name], check=False)
        if done.returncode not in (0, 1):
            return done.returncode
    shown = [found.relative for found in discover([photos], limit=SHEET_ROWS)]
    rows = [[photos / path, *(options.out / name / path for name in names)] for path in shown]
    whole = [row for row in rows if all(path.is_file() for path in row)]
    sheet = options.out / "before-after.png"
    write_sheet(sheet, ["before", *names], whole)
    looks = [
        Look(name, presets.find(name).description, [(row[0], row[n + 1]) for row in whole])
        for n, name in enumerate(names)
    ]
    page = write_page(options.out, looks)
    print(f"\nResults: {', '.join(str(options.out / name) for name in names)}\nAll on one sheet: {sheet}")
    print(f"Before and after, side by side: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
