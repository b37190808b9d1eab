"""What the shipped looks are worth, by `lptn evaluate` on photos that training held back.

    python -m benchmarks.looks ../shared/photos -p day-to-night -p autumn [--out benchmarks/results]

DIR holds one folder a group of photos (night, winter ...). Each preset is measured on the groups it is for;
"does its job" is the share of results that the judge takes for what the preset promises. Prints the README's
table.
"""

from __future__ import annotations

from typing import Any

from benchmarks.machine import machine, preset_options, publish
from lptn_cli import preset as presets
from lptn_cli.training.evaluation import evaluate

# Preset: the groups it is for, and what its results should be taken for (nothing: they may stay as they are).
JOBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "retouch": (("day", "golden"), ()),
    "day-to-night": (("day", "summer"), ("night",)),
    "night-to-day": (("night",), ("day", "summer", "overcast", "winter", "autumn")),  # daylight
    "summer-to-winter": (("summer", "day"), ("winter",)),
    "winter-to-summer": (("winter",), ("summer",)),
    "golden-hour": (("day", "summer"), ("golden",)),
    "autumn": (("summer", "day"), ("autumn",)),
}
COLUMNS = ("does its job", "before", "structure", "turned", "blotch", "border", "psnr_to_photo")


def main() -> None:
    options = preset_options(__doc__)
    for preset in options.preset:
        presets.find(preset)  # a missing one is said before the minutes of the others
    looks: dict[str, Any] = {}
    for preset in options.preset:
        groups, wanted = JOBS.get(preset, JOBS["retouch"])
        folders = [options.folder / group for group in groups]
        figures = evaluate(preset, folders, None, held_back=True, device="cpu")["photos"]
        if wanted:
            figures["does its job"] = round(sum(figures["judged"].get(group, 0) for group in wanted), 3)
            figures["before"] = round(sum(figures["judged_before"].get(group, 0) for group in wanted), 3)
        looks[preset] = {"on": groups, **figures}
    what = "lptn evaluate --held-back, by preset"
    publish({"what": what, "machine": machine(), "looks": looks}, options.out, "looks")
    print(f"| preset | photos | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
    for preset, figures in looks.items():
        print(f"| {preset} | {figures['count']} | {' | '.join(_cell(figures, name) for name in COLUMNS)} |")


def _cell(figures: dict[str, Any], name: str) -> str:
    value = figures.get(name)
    if value is None:
        return ""
    return f"{100 * value:.0f} %" if name in ("does its job", "before", "turned") else f"{value:.4g}"


if __name__ == "__main__":
    main()
