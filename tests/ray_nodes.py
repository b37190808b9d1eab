"""A Ray cluster of two nodes with a CPU each, on this machine, for as long as stdin is open.

python -m tests.ray_nodes     prints its address; a line on stdin takes the second node away, at once
"""

from __future__ import annotations

import sys
from typing import Any

from ray.cluster_utils import Cluster

SMALL: dict[str, Any] = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args=SMALL)
    try:
        node = cluster.add_node(**SMALL)
        print(cluster.address, flush=True)
        if sys.stdin.readline():
            cluster.remove_node(node, allow_graceful=False)
            print("removed", flush=True)
            sys.stdin.read()
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
