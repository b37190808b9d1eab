"""What runs on the machines of a cluster: a look, and threads that walk photos along the one path."""

from __future__ import annotations

import math
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lptn_cli import __version__
from lptn_cli.manifest import Manifest
from lptn_cli.plan import Job
from lptn_cli.report import Outcome
from lptn_cli.settings import Settings

if TYPE_CHECKING:
    from lptn_cli.develop import Devices

GROUP = 16  # CPU cores of one worker: threads of one process keep so many busy


class Worker:
    """The actor: a look on a device, and this worker's part of the manifest."""

    def __init__(
        self,
        settings: Settings,
        weights: bytes,
        device: str,
        half: bool,
        folder: Path | None,
        part: str,
        cores: int,
    ) -> None:
        self._given = settings, weights, device, half, folder, part, cores

    def ready(self) -> str:
        """Load the look; gives the version of lptn that is here. Raises StartError."""
        from lptn_cli.develop import Devices
        from lptn_cli.translate import Retoucher

        settings, weights, device, half, folder, part, cores = self._given
        # This node need not have the preset; kept for a second look, on the CPU
        self._scratch = tempfile.TemporaryDirectory(prefix="lptn-")
        preset = replace(settings.preset, path=Path(self._scratch.name) / settings.preset.path.name)
        preset.weights.write_bytes(weights)
        look = Retoucher(preset, device, half=half, side_by_side=True)
        self._settings = settings
        self._devices: Devices = Devices([look], cores)
        self._manifest = Manifest.open(folder, part, blank=True) if folder else None
        return __version__

    def retouch(self, job: Job) -> Outcome:
        from lptn_cli.pipeline import retouch_one

        return retouch_one(job, self._devices, self._settings, self._manifest)

    def close(self) -> None:
        self._scratch.cleanup()
        if self._manifest:
            self._manifest.close()


@dataclass(frozen=True)
class Slot:
    """A place for one worker."""

    node: str
    part: str  # the name of its part of the manifest
    cpus: int
    gpus: int


def slots(nodes: Sequence[Mapping[str, Any]], device: str) -> list[Slot]:
    """One a GPU, else one for every GROUP of CPU cores, of the nodes that are alive."""
    hosts = Counter(node["NodeManagerHostname"] for node in nodes if node["Alive"])
    found = []
    for node in nodes:
        if not node["Alive"]:
            continue
        cpus, gpus = (int(node["Resources"].get(kind, 0)) for kind in ("CPU", "GPU"))
        by_gpu = bool(gpus) and device != "cpu"
        number = gpus if by_gpu else 0 if device == "cuda" else math.ceil(cpus / GROUP)
        host = re.sub(r"[^\w.-]", "-", node["NodeManagerHostname"])
        if hosts[node["NodeManagerHostname"]] > 1:  # cloned machines: a part is written by one alone
            host = f"{host}-{node['NodeID'][:8]}"
        found += [Slot(node["NodeID"], f"ray-{host}-{n}", cpus // number, int(by_gpu)) for n in range(number)]
    return found


def anywhere(job: Job) -> Job:
    """The job with paths that hold in every folder."""
    photo = replace(job.photo, path=job.photo.path.absolute())
    return replace(job, photo=photo, output=job.output.absolute())
