"""`--ray`: the same one path on the machines of a Ray cluster. Jobs travel to workers, pixels never do.

A worker is a Ray actor: one a GPU, or one a group of CPU cores. It loads the look once and its threads call
`retouch_one`, as those of `pipeline.retouch_all` do on one machine. This process, the driver, hands out jobs
and tells the outcomes.

These are actors of Ray's core, not Ray Data's `map_batches`, which (read in Ray 2.60) has an outcome a block,
not a photo, unless each photo is a block of its own; retries a block whose worker died for ever, or drops it
without saying which it was; and when it is stopped kills the tasks in work, where Ctrl-C has to finish them.
It would also bring pyarrow and pandas.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lptn_cli import __version__
from lptn_cli.errors import LptnError, StartError, UsageError
from lptn_cli.plan import Job
from lptn_cli.report import Outcome, Report
from lptn_cli.settings import Settings
from lptn_cli.signals import Stop
from lptn_cli.worker import GROUP, Slot, Worker, anywhere, slots

if TYPE_CHECKING:
    from lptn_cli.destination import Engine

TRIES = 3  # of a photo whose worker dies; also of a worker that dies before it is ready
QUEUED = 2  # jobs that wait at a worker, so that no thread waits for the driver
LOOK_AROUND = 5.0  # seconds between looks for nodes that came
ADDRESS = re.compile(r"auto|local|(ray://)?[\w.\[\]:-]+:[0-9]+")
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32"}  # as in cli, __init__


@dataclass(eq=False)
class Hand:
    """The driver's side of a worker."""

    slot: Slot
    actor: Any
    room: int  # jobs that it may have
    starting: Any  # the answer that it is ready; None once it is
    jobs: dict[Any, Job] = field(default_factory=dict)  # by the answers that are awaited
    alone: bool = False  # with a job whose worker died before
    dead: bool = False


def with_address(arguments: Sequence[str]) -> list[str]:
    """A `--ray` that no address follows gets one: $RAY_ADDRESS, else Ray is started on this machine."""
    given = list(arguments)
    end = given.index("--") if "--" in given else len(given)
    for n, word in enumerate(given[:end]):
        if word == "--ray" and not (n + 1 < end and ADDRESS.fullmatch(given[n + 1])):
            given[n] = f"--ray={os.environ.get('RAY_ADDRESS') or 'local'}"
    return given


def check_address(address: str) -> None:
    """Raises UsageError."""
    if not ADDRESS.fullmatch(address):
        raise UsageError(
            f"--ray {address}: no address of a cluster (auto, HOST:PORT, ray://HOST:PORT); "
            "to start Ray on this machine write --ray=local"
        )


def _require_answer(address: str) -> None:
    """Ray itself would try for minutes. Raises StartError."""
    if ":" not in address:
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise StartError(f"--ray {address}: nothing answers there ({error}); is the cluster up?") from error


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module `ray`, with a cluster: that of the address, or one that is started here for the while."""
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a photographer's machine calls nobody
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray
    except ImportError as error:
        raise StartError("--ray needs a package that is not installed: pip install 'lptn[ray]'") from error
    here: dict[str, Any] = (
        {"include_dashboard": False, "object_store_memory": 100 * 2**20} if address == "local" else {}
    )
    _require_answer(address)
    # Ray prints what it thinks of a worker's death to stdout, which is the listing's
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        try:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **here)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            said = " ".join(str(error).split())
            raise StartError(f"--ray {address}: no Ray cluster answers there ({said})") from error
        try:
            yield ray
        finally:
            ray.shutdown()


class Cluster:
    """A run on a cluster: what is to do, and the workers there are."""

    def __init__(
        self,
        ray: Any,
        settings: Settings,
        folder: Path | None,
        report: Report,
        engine: Engine,
    ) -> None:
        self._ray, self._report = ray, report
        self._folder = folder.absolute() if folder else None
        self._engine = engine
        self._shared = [ray.put(settings), ray.put(settings.preset.read_weights())]
        self._hands: list[Hand] = []
        self._died: dict[Slot, int] = {}  # before they were ready, how often in a row
        self._lost: dict[int, int] = {}  # workers that a photo has lost, by the job's number
        self._again: deque[Job] = deque()
        self._trouble = ""
        self._looked = -math.inf
        self._served = False  # some worker has been ready

    def retouch_all(self, jobs: Sequence[Job], *, stop: Stop, max_errors: int | None = None) -> None:
        """As pipeline.retouch_all. Raises StartError when no worker can start."""
        report, waiting = self._report, iter(jobs)
        left, failures, told = len(jobs), 0, time.monotonic()
        while left and not (stop.asked and not any(hand.jobs for hand in self._hands)):
            self._look_around()
            if not stop.asked:
                self._hand_out(waiting)
            answers = [answer for hand in self._hands for answer in (hand.starting, *hand.jobs) if answer]
            if not answers:
                time.sleep(0.5)
            done = self._ray.wait(answers, timeout=0.5)[0] if answers else []
            for outcome in filter(None, map(self._take, done)):
                left -= 1
                report.photo(outcome)
                failures += outcome.status == "failed"
                if failures == max_errors or report.counts.stdout_closed:
                    stop.asked = True
            if all(hand.starting for hand in self._hands) and time.monotonic() - told > 30:
                told = time.monotonic()
                report.line(f"waiting for a worker of the cluster {self._trouble}".rstrip())

    def close(self) -> None:
        """Let each worker put its part of the manifest in order."""
        alive = [hand for hand in self._hands if not (hand.starting or hand.dead)]
        closing = [hand.actor.close.remote() for hand in alive]
        self._ray.wait(closing, num_returns=len(closing), timeout=60) if closing else None

    def _look_around(self) -> None:
        """Start a worker wherever there is room for one: at first, after a death, on nodes that came."""
        if time.monotonic() - self._looked < LOOK_AROUND:
            return
        self._looked = time.monotonic()
        taken = {hand.slot for hand in self._hands}
        places = slots(self._ray.nodes(), self._engine.device)
        for slot in places:
            if slot not in taken and self._died.get(slot, 0) < TRIES:
                self._hands.append(self._start(slot))
        if not places and self._engine.device == "cuda" and not self._served:
            raise StartError("no machine of the cluster has a GPU; leave out -d cuda")
        if places and not self._hands:
            raise StartError(f"no worker could start: {self._trouble}")

    def _start(self, slot: Slot) -> Hand:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        threads = self._engine.workers or min(slot.cpus + 1, GROUP)
        actor = self._ray.remote(Worker).options(
            num_cpus=slot.cpus,
            num_gpus=slot.gpus,
            max_concurrency=threads,
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(slot.node, soft=False),
            runtime_env={"env_vars": ENVIRONMENT},
        )
        device = "cuda" if slot.gpus else "cpu"
        hand = actor.remote(*self._shared, device, self._engine.half, self._folder, slot.part, slot.cpus)
        return Hand(slot, hand, threads + QUEUED, hand.ready.remote())

    def _hand_out(self, waiting: Iterator[Job]) -> None:
        for hand in self._hands:
            while job := None if hand.starting or hand.dead else self._next_for(hand, waiting):
                hand.jobs[hand.actor.retouch.remote(anywhere(job))] = job

    def _next_for(self, hand: Hand, waiting: Iterator[Job]) -> Job | None:
        """A job whose worker died goes to one that has nothing else: a bad photo takes none with it."""
        if not hand.jobs:
            hand.alone = bool(self._again)
        if self._again:
            return None if hand.jobs else self._again.popleft()
        return None if hand.alone or len(hand.jobs) >= hand.room else next(waiting, None)

    def _take(self, answer: Any) -> Outcome | None:
        """What has become of a photo, if it is known."""
        hand = next(hand for hand in self._hands if answer == hand.starting or answer in hand.jobs)
        try:
            said = self._ray.get(answer)
        except LptnError as error:  # it cannot start, and says why
            self._bury(hand, str(getattr(error, "cause", error)), deaths=TRIES)
            return None
        except self._ray.exceptions.RayError as error:
            return self._after_death(hand, answer, " ".join(str(error).split()))
        if answer != hand.starting:
            outcome: Outcome = said
            return replace(outcome, job=hand.jobs.pop(answer))
        hand.starting, self._served = None, True
        self._died[hand.slot] = 0
        if said != __version__:
            self._bury(hand, f"{hand.slot.part} has lptn {said}, this is {__version__}", deaths=TRIES)
        return None

    def _after_death(self, hand: Hand, answer: Any, error: str) -> Outcome | None:
        self._bury(hand, error, deaths=1 if hand.starting else 0)
        job = hand.jobs.pop(answer, None)
        if not hand.jobs and hand in self._hands:
            self._hands.remove(hand)
            self._looked = -math.inf  # start another at once
        if job is None:
            return None
        lost = self._lost[job.number] = self._lost.get(job.number, 0) + 1
        if lost < TRIES:
            self._again.append(job)
            return None
        message = f"{TRIES} workers died with it; is it damaged, or too large for their memory?"
        return Outcome(job, "failed", error="internal", message=message)

    def _bury(self, hand: Hand, why: str, *, deaths: int) -> None:
        """Take no more from this worker: the answers that it owes now fail, one by one."""
        if not hand.dead:
            again = f"; its {len(hand.jobs)} photos run again" if hand.jobs else ""
            self._report.line(f"a worker has died on {hand.slot.part.removeprefix('ray-')}{again}")
        self._trouble = why
        self._died[hand.slot] = self._died.get(hand.slot, 0) + deaths
        hand.dead, hand.starting = True, None
        self._ray.kill(hand.actor)
        if not hand.jobs:
            self._hands.remove(hand)
