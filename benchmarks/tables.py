"""The figures in the tables of the README and of the model cards, from benchmarks/results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"
AUTHORS = "fivek"  # the published network, imported under this name

Cells = Mapping[str, Sequence[str]]  # the cells of a row behind its label, by a pattern of how that begins


def result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def fill(text: str, rows: Cells) -> str:
    """The text with these cells in its tables. Raises ValueError unless each row is there once."""
    for label, cells in rows.items():
        row = re.compile(rf"^(\| {label}[^|\n]*\|)[^\n]*$", re.MULTILINE)
        if len(row.findall(text)) != 1:
            raise ValueError(f"not one row begins with {label!r}")
        behind = "".join(f" {cell} |" if cell else " |" for cell in cells)
        text = row.sub(lambda found, behind=behind: found[1] + behind, text)  # type: ignore[misc]
    return text


def of_readme() -> Cells:
    return _of_looks() | _of_speed() | _of_gpu() | _of_retouch()


def of_card(name: str) -> Cells:
    return _of_retouchs_card() if name == "retouch" else _of_looks_card(name)


def _of_looks() -> dict[str, list[str]]:
    rows = {}
    for name, look in result("looks")["looks"].items():
        strangers, second = (result(judge)["looks"].get(name) for judge in ("strangers", "second-judge"))
        rows["the authors' FiveK" if name == AUTHORS else name] = [
            str(look["count"]),
            _share(strangers) if strangers else "",
            f"{_share(look)} ({_share(look, 'before')})" if strangers else _to_good_photos(look),
            _share(second) if second else "",
            _rounded(look["structure"], 3),
            _turned(look),
            _rounded(look["blotch"], 2),
            str(look["border"]),
            _sizes(name),
        ]
    return rows


def _of_speed() -> dict[str, list[str]]:
    batch, cluster = result("batch"), result("cluster")["runs"]
    photo = [_ms(median(run["seconds_per_photo"] for run in cluster[kind])) for kind in ("plain", "ray")]
    seconds, step = result("megapixels")["seconds"], result("training")["seconds"]
    two = {
        size: "; ".join(_ms(seconds[look][size]) for look in ("retouch", "day-to-night"))
        for size in seconds["retouch"]
    }
    resident = result("memory")["mib_by_tenth"]
    steps = [_rounded(step[f"{kind}, 3 levels"], 2) for kind in ("pairs", "guided", "unpaired")]
    return {
        "a folder of ninety 4K JPEGs": [f"{_rounded(batch['photos_per_minute'])} photos a minute", ""],
        "the same after start-up": ["; ".join(photo), ""],
        "one 4K JPEG": [f"{batch['one_4k_photo_seconds_with_start_up']} s", ""],
        "the look alone": [two["8.3"], f"{_rounded(seconds[AUTHORS]['8.3'], 1)} s"],
        "the same, 24 megapixels": [two["24"], ""],
        "the same, 100 megapixels": [two["100"], ""],
        "peak memory": [f"{batch['peak_mib_24_megapixels']} MiB", ""],
        "resident memory": [f"{resident[0]} and {resident[-1]} MiB", ""],
        "a training step": [f"{', '.join(steps)} s", ""],
    }


def _of_gpu() -> dict[str, list[str]]:
    gpu, step = result("gpu"), result("training-cuda")["seconds"]
    stages = gpu["gpu_ms"]
    ours = [stages[stage] for stage in ("shrink", "network, half precision", "finish")]
    rates = [gpu["disk_to_disk"][way]["photos_per_second"] for way in ("CPU codecs", "JPEG on the GPU")]
    steps = [_rounded(step[f"{kind}, 3 levels"], 2) for kind in ("pairs", "guided", "unpaired")]
    return {
        "on the GPU": [
            f"{' + '.join(_rounded(one, 2) for one in ours)} ms",
            f"{_rounded(stages['published, full resolution'], 1)} ms",
        ],
        "from memory to memory": [f"{_rounded(gpu['wall_ms_a_photo'], 1)} ms", ""],
        "from disk to disk": ["; ".join(_rounded(rate) for rate in rates) + " photos a second", ""],
        "memory of the GPU": [f"{_rounded(gpu['peak_mib_at_100_megapixels'])} MiB", ""],
        "such a training step": [f"{', '.join(steps)} s", ""],
    }


def _of_retouch() -> dict[str, list[str]]:
    both = ("retouch", AUTHORS)
    pairs = [result("pairs-retouch_check")["presets"][name] for name in both]
    return {
        "8 pairs of MIT-Adobe FiveK": [f"{_rounded(one['psnr'], 2)} dB" for one in pairs],
        "the same: SSIM": [_rounded(one["ssim"], 3) for one in pairs],
        "the same: CIEDE2000": [_rounded(one["ciede2000"], 1) for one in pairs],
        "the 4K result, shrunk": [_sizes(name) for name in both],
        "even sky beside an edge": [f"{_edges(name, ' and ')} levels" for name in both],
    }


def _of_looks_card(name: str) -> dict[str, list[str]]:
    look, strangers = result("looks")["looks"][name], result("strangers")
    said, real = strangers["looks"][name], strangers["photos as they are"]
    leaves = "; where a tenth or more is vegetation {} of {}".format(*said["of photos with vegetation"])
    taken = f"{_share(said)} of {said['count']} ({_percent(real['taken for their group'], real['count'])})"
    return {
        "taken for [^|]* by strangers": [taken + leaves * (name == "autumn")],
        "taken for [^|]* by the judge": [f"{_share(look)}, before {_share(look, 'before')}"],
        "the same by a second judge": [_share(result("second-judge")["looks"][name])],
        "structure": [_rounded(look["structure"], 3)],
        "strong edges turned round": [_turned(look)],
        "new gradient where the photo is flat": [_rounded(look["blotch"], 2)],
        "a flat grey photo": [str(look["border"])],
        "seven 4K photos": [_sizes(name)],
        "even sky beside an edge": [_edges(name)],
    }


def _of_retouchs_card() -> dict[str, list[str]]:
    """The PSNR on pairs held back is not here: `lptn evaluate` tells it, on pairs that are not kept."""
    look, pairs, skin = (result(of) for of in ("looks", "pairs-retouch_check", "skin"))
    look = look["looks"]["retouch"]
    ours, theirs = (pairs["presets"][name] for name in ("retouch", AUTHORS))
    faces = [skin["presets"][name] for name in ("retouch", AUTHORS)]
    kept = [f"{face['portrait']['to photo']}, {face['portrait']['hue turned']}°" for face in faces]

    def pair(key: str, places: int, unit: str = "") -> list[str]:
        before, best, other = (
            _rounded(value, places) for value in (ours[f"{key}_before"], ours[key], theirs[key])
        )
        return [before + unit, f"**{best}**{unit}", other + unit]

    return {
        "PSNR on 8 pairs": pair("psnr", 2, " dB"),
        "SSIM, the same": pair("ssim", 3),
        "CIEDE2000, the same": pair("ciede2000", 1),
        "PSNR to the photo itself": ["", f"{_rounded(look['psnr_to_photo'], 1)} dB", ""],
        "structure": ["", f"{_rounded(look['structure'], 3)} / {_turned(look)}", ""],
        "new gradient where a photo is flat": ["", _rounded(look["blotch"], 2), ""],
        "a flat grey photo": ["", str(look["border"]), ""],
        "seven 4K photos": ["", _sizes("retouch"), ""],
        "even sky beside an edge": ["", _edges("retouch"), _edges(AUTHORS)],
        "the face of a well-lit portrait": ["", *kept],
        "the same portrait": [
            str(face["to photo"]) for face in (faces[0]["flat, before"], *(f["flat"] for f in faces))
        ],
    }


def _rounded(value: float, places: int = 0) -> str:
    """Half up, as people do."""
    return str(Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _percent(share: float, count: int) -> str:
    """share: of `count` photos, to three places, from which the true one is found."""
    return f"{_rounded(100 * round(share * count) / count)} %"


def _share(look: Mapping[str, Any], key: str = "does its job") -> str:
    return _percent(look[key], look["count"])


def _to_good_photos(look: Mapping[str, Any]) -> str:
    return f"{_rounded(look['psnr_to_photo'], 1)} dB to good photos"


def _turned(look: Mapping[str, Any]) -> str:
    return f"{_rounded(100 * look['turned'], 2)} %"


def _ms(seconds: float) -> str:
    return f"{_rounded(1000 * seconds)} ms"


def _sizes(name: str) -> str:
    psnr = result("sizes")["presets"][name]["psnr"]
    return f"{_rounded(min(psnr))} to {_rounded(max(psnr))} dB"


def _edges(name: str, between: str = ", ") -> str:
    edges = result("edges")["presets"][name]
    return between.join(str(edges[kind]["p99"]) for kind in ("halo", "fringe"))
