"""Figures into the presets' TOMLs, for `lptn presets NAME`: what the other benchmarks have measured.

    python -m benchmarks.figures [--presets presets]

Reads looks, strangers, second-judge, sizes, edges and pairs-retouch_check of benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lptn_cli import preset as presets
from lptn_cli.atomic import write_atomic

RESULTS = Path(__file__).parent / "results"
TABLE = "[figures]"
SAID = "  # on photos that training never saw: python -m benchmarks.figures"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", type=Path, default=Path("presets"))
    folder = parser.parse_args().presets
    for name in _results("looks")["looks"]:
        path = folder / f"{name}.toml"
        if path.is_file():
            keys = path.read_text("utf-8").partition(TABLE)[0].rstrip("\n")
            rows = [f"{key} = {json.dumps(value)}\n" for key, value in figures(name).items()]
            write_atomic(path, f"{keys}\n\n{TABLE}{SAID}\n{''.join(rows)}".encode(), overwrite=True)
            presets.read(path)


def figures(name: str) -> dict[str, Any]:
    """Of one preset: shares are 0 to 1, levels of 255, PSNR in dB."""
    look, sizes = _results("looks")["looks"][name], _results("sizes")["presets"][name]["psnr"]
    edges = _results("edges")["presets"][name]
    found: dict[str, Any] = {"photos": look["count"]}
    judges = {"strangers": "strangers", "judge": "looks", "second_judge": "second-judge"}
    for key, results in judges.items():
        share = _results(results)["looks"].get(name, {}).get("does its job")
        if share is not None:
            found[f"does_its_job_by_{key}"] = share
    if name == "retouch":
        pairs = _results("pairs-retouch_check")["presets"][name]
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


def _results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


if __name__ == "__main__":
    main()
