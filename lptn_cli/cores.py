"""How many processor cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Those the scheduler allows, or what a container's quota comes to (cgroup v2), if that is less."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = map(int, quota.read_text("ascii").split())
    except (OSError, ValueError):  # no such file, or "max 100000"
        return allowed
    return max(1, min(allowed, math.ceil(share / period)))


CORES = cores()
