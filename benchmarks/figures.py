"""Writes what the other benchmarks have measured into the README, the model cards and the presets' TOMLs.

    python -m benchmarks.figures

Reads benchmarks/results. The TOMLs' figures are shown by `lptn presets NAME`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tables import fill, of_card, of_readme, result
from lptn_cli.atomic import write_atomic

ROOT = Path(__file__).parents[1]
TABLE = "[figures]"
SAID = "  # on photos held back from training: python -m benchmarks.figures"


def main() -> None:
    for path, text in written():
        write_atomic(path, text.encode(), overwrite=True)


def written() -> Iterator[tuple[Path, str]]:
    """The files that tell figures, as they should be."""
    readme = ROOT / "README.md"
    yield readme, fill(readme.read_text("utf-8"), of_readme())
    for name in result("looks")["looks"]:
        toml, card = (ROOT / "presets" / f"{name}.{kind}" for kind in ("toml", "md"))
        if toml.is_file():
            keys = toml.read_text("utf-8").partition(TABLE)[0].rstrip("\n")
            rows = [f"{key} = {json.dumps(value)}\n" for key, value in figures(name).items()]
            yield toml, f"{keys}\n\n{TABLE}{SAID}\n{''.join(rows)}"
            yield card, fill(card.read_text("utf-8"), of_card(name))


def figures(name: str) -> dict[str, Any]:
    """Of one preset: shares are 0 to 1, levels of 255, PSNR in dB."""
    look, sizes = result("looks")["looks"][name], result("sizes")["presets"][name]["psnr"]
    edges = result("edges")["presets"][name]
    found: dict[str, Any] = {"photos": look["count"]}
    judges = {"strangers": "strangers", "judge": "looks", "second_judge": "second-judge"}
    for key, results in judges.items():
        share = result(results)["looks"].get(name, {}).get("does its job")
        if share is not None:
            found[f"does_its_job_by_{key}"] = share
    if name == "retouch":
        pairs = result("pairs-retouch_check")["presets"][name]
        found |= {"psnr_to_good_photos": round(look["psnr_to_photo"], 1)}
        found |= {f"{key}_on_8_pairs_of_fivek": round(pairs[key], 3) for key in ("psnr", "ssim", "ciede2000")}
    return found | {
        "structure": round(look["structure"], 3),
        "edges_turned": look["turned"],
        "new_gradient_where_flat": round(look["blotch"], 2),
        "flat_grey_to_border": look["border"],
        "same_at_every_size_psnr": [min(sizes), max(sizes)],
        "halo_p99": edges["halo"]["p99"],
        "fringe_p99": edges["fringe"]["p99"],
    }


if __name__ == "__main__":
    main()
