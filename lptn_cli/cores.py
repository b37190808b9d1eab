"""How many processor cores this process may use."""

from __future__ import annotations

import os

# A container's share counts, where the system tells it.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
