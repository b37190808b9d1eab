"""`--ray`: a real Ray on this machine, an S3 server on loopback, workers and nodes that go away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lptn_cli.cluster import check_address, with_address
from lptn_cli.errors import UsageError
from lptn_cli.preset import Preset
from lptn_cli.settings import Settings
from lptn_cli.translate import Retoucher
from lptn_cli.worker import Worker, slots
from tests.buckets import names, new_bucket, put, s3_server
from tests.command import LPTN, Retouch, environment, save, spawn, tree
from tests.conftest import photo

ROOT = Path(__file__).parents[1]
# Read by every Python on the nodes: a photo of this name ends the process that reads it.
POISON = """
import os
from lptn_cli import photos
read = photos.read
photos.read = lambda photo: os._exit(9) if photo.path.name == "poison.jpg" else read(photo)
"""
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def node(cpus: float = 0, gpus: float = 0, name: str = "n", alive: bool = True) -> dict[str, Any]:
    resources = {"CPU": cpus} | ({"GPU": gpus} if gpus else {})
    return {"NodeID": f"id-{name}", "Alive": alive, "NodeManagerHostname": name, "Resources": resources}


def test_convention_one_worker_a_gpu_else_one_for_sixteen_cores() -> None:
    def sizes(device: str, *nodes: dict[str, Any]) -> list[tuple[str, int, int]]:
        return [(slot.part, slot.cpus, slot.gpus) for slot in slots(nodes, device)]

    assert sizes("auto", node(2)) == [("ray-n-0", 2, 0)]
    assert sizes("auto", node(40)) == [("ray-n-0", 13, 0), ("ray-n-1", 13, 0), ("ray-n-2", 13, 0)]
    assert sizes("auto", node(16, 2)) == [("ray-n-0", 8, 1), ("ray-n-1", 8, 1)]
    assert sizes("cpu", node(16, 2)) == [("ray-n-0", 16, 0)]
    assert sizes("cuda", node(16), node(4, 1, "g")) == [("ray-g-0", 4, 1)]
    assert sizes("auto", node(0), node(4, alive=False)) == []  # a head that computes nothing, a dead node


def test_a_worker_keeps_the_weights_for_a_second_look_and_knows_its_cores(settings: Settings) -> None:
    worker = Worker(settings, settings.preset.read_weights(), "cpu", False, None, "a", cores=8)
    worker.ready()
    with worker._devices.borrow() as look:
        assert Retoucher(look.preset, "cpu").preset == look.preset
    worker.close()
    assert not look.preset.path.parent.exists()


def test_machines_of_one_name_note_what_they_did_apart() -> None:
    one, other = ({**node(2), "NodeID": name * 20} for name in ("ab", "cd"))
    assert [slot.part for slot in slots([one, other], "cpu")] == ["ray-n-abababab-0", "ray-n-cdcdcdcd-0"]
    assert [slot.part for slot in slots([one, {**other, "Alive": False}], "cpu")] == ["ray-n-0"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["in", "--ray"], ["in", "--ray=local"]),
        (["--ray", "in", "-o", "out"], ["--ray=local", "in", "-o", "out"]),
        (["--ray", "auto", "in"], ["--ray", "auto", "in"]),
        (["--ray", "10.0.0.1:6379"], ["--ray", "10.0.0.1:6379"]),
        (["--ray", "ray://head:10001", "in"], ["--ray", "ray://head:10001", "in"]),
        (["in", "--ray", "s3://bucket/in"], ["in", "--ray=local", "s3://bucket/in"]),
        (["--", "--ray"], ["--", "--ray"]),
    ],
)
def test_the_address_may_be_left_out(
    given: list[str], meant: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert with_address(given) == meant
    monkeypatch.setenv("RAY_ADDRESS", "head:1")
    assert with_address(given) == [word.replace("=local", "=head:1") for word in meant]


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="--ray=local"):
        check_address("photos/")


def test_without_the_extra(
    folder: Path, retouch: Retouch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = retouch(folder, "-o", tmp_path / "out", "--ray=local")
    assert (ran.code, "pip install 'lptn[ray]'" in ran.error) == (4, True)


def test_a_cluster_that_is_not_there(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    ran = retouch(folder, "-o", tmp_path / "out", "--ray", "127.0.0.1:9")
    assert (ran.code, "nothing answers there" in ran.error) == (4, True)


@pytest.mark.parametrize("words", [["-d", "cuda:1"], ["-o", "-"], ["--ray=photos"]])
def test_what_a_cluster_cannot_do(words: list[str], folder: Path, retouch: Retouch) -> None:
    assert retouch(folder / "a.jpg", "--ray=local", *words).code == 2


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ray_on_this_machine_gives_the_same_files(folder: Path, preset: Preset, tmp_path: Path) -> None:
    words = ("retouch", "-p", preset.path, folder)
    assert spawn(*words, "-o", tmp_path / "plain").code == 0
    ran = spawn(*words, "-o", "ray", "--ray", cwd=tmp_path)  # a relative output is this process's
    assert ran.code == 0, ran.stderr
    assert tree(tmp_path / "ray") == tree(tmp_path / "plain") == {"a.jpg", "b.jpg", "sub/c.png"}
    for name in tree(tmp_path / "plain"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


class Nodes:
    """Two nodes, and lptn on them."""

    def __init__(self, process: subprocess.Popen[str], preset: Path, env: dict[str, str]) -> None:
        assert process.stdout
        self.address = process.stdout.readline().strip()
        self.process, self._preset, self._env = process, preset, env

    def start(self, *words: object) -> subprocess.Popen[bytes]:
        command = [LPTN, "retouch", "-p", self._preset, "--ray", self.address, "--json", *words]
        return subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self._env
        )

    def take_one_away(self) -> None:
        assert self.process.stdin and self.process.stdout
        print(file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "removed\n"

    def workers(self) -> list[int]:
        """The processes of actors, which are grandchildren of the process that holds the nodes."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found[int(entry.name)] = parent, (entry / "cmdline").read_bytes()
            except OSError:
                continue
        return [
            pid
            for pid, (parent, name) in found.items()
            if name.startswith(b"ray::Worker") and found[parent][0] == self.process.pid
        ]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, preset: Preset) -> Iterator[Nodes]:
    """Started once: it takes seconds. S3 is running before, as its nodes take its address from here."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(POISON)
    with pytest.MonkeyPatch.context() as patch, s3_server(patch):
        env = environment(PYTHONPATH=str(site), RAY_USAGE_STATS_ENABLED="0")
        env.pop("RAY_ADDRESS", None)
        holder = subprocess.Popen(
            [sys.executable, "-m", "tests.ray_nodes"], cwd=ROOT, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield Nodes(holder, preset.path, env)
        finally:
            assert holder.stdin
            holder.stdin.close()
            holder.wait(60)
            holder.stdout and holder.stdout.close()


def remaining(run: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """The rest of both streams up to the end; `communicate` would pass over what `readline` holds ready."""
    with run:
        assert run.stdout and run.stderr
        return run.stdout.read(), run.stderr.read()


def photos_of(lines: bytes | list[bytes]) -> list[dict[str, Any]]:
    events = map(json.loads, lines.splitlines() if isinstance(lines, bytes) else lines)
    return [event for event in events if event["event"] == "photo"]


@pytest.mark.slow
@pytest.mark.timeout(240)
@on_linux
def test_what_has_no_place_in_the_cluster_is_told(nodes: Nodes, tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.jpg", photo(40, 56))
    run = nodes.start(tmp_path / "in", "-o", tmp_path / "out", "-d", "cuda")
    _, said = run.communicate(timeout=100)
    assert (run.returncode, b"no machine of the cluster has a GPU" in said) == (4, True), said


@pytest.mark.slow
@pytest.mark.timeout(240)
@on_linux
def test_two_hundred_photos_and_a_worker_killed_in_the_middle(nodes: Nodes) -> None:
    bucket = new_bucket("s3")
    data = put(f"{bucket}/in/0/000.jpg", photo(40, 56))
    for n in range(1, 200):
        put_bytes(f"{bucket}/in/{n % 5}/{n:03}.jpg", data)
    run = nodes.start(f"{bucket}/in", "-o", f"{bucket}/out")
    assert run.stdout
    lines = [run.stdout.readline() for _ in range(30)]
    victims = nodes.workers()
    assert len(victims) == 2  # one a node
    os.kill(victims[0], signal.SIGKILL)
    rest, said = remaining(run)
    told = photos_of([*lines, *rest.splitlines()])
    assert run.returncode == 0, said
    assert "a worker has died" in said.decode()
    assert len(told) == len({event["input"] for event in told}) == 200  # none lost, none doubled
    assert names(f"{bucket}/out") == {f"{n % 5}/{n:03}.jpg" for n in range(200)}
    again = nodes.start(f"{bucket}/in", "-o", f"{bucket}/out")
    assert json.loads(again.communicate(timeout=100)[0].splitlines()[-1])["up_to_date"] == 200


def put_bytes(url: str, data: bytes) -> None:
    import fsspec

    fsspec.filesystem("s3").pipe_file(url, data)


@pytest.mark.slow
@pytest.mark.timeout(240)
@on_linux
def test_a_photo_that_kills_its_workers_fails_alone(nodes: Nodes, tmp_path: Path) -> None:
    for n in range(12):
        save(tmp_path / "in" / f"{n:02}.jpg", photo(40, 56, seed=n))
    save(tmp_path / "in" / "poison.jpg", photo(40, 56))
    run = nodes.start(tmp_path / "in", "-o", tmp_path / "out")
    out, said = run.communicate(timeout=150)
    ended = {Path(event["input"]).name: event["status"] for event in photos_of(out)}
    assert run.returncode == 1, said
    assert ended.pop("poison.jpg") == "failed"
    assert len(ended) == 12 and "failed" not in ended.values()
    assert "3 workers died with it" in said.decode()


def results(folder: Path) -> set[str]:
    """Without the unfinished files of a process that was killed, which a later run sweeps."""
    return {name for name in tree(folder) if not name.endswith(".part")}


@pytest.mark.slow
@pytest.mark.timeout(240)
@on_linux
def test_a_node_goes_away_then_ctrl_c_drains_and_the_run_resumes(nodes: Nodes, tmp_path: Path) -> None:
    """The last test: the node stays away."""
    for n in range(120):
        save(tmp_path / "in" / f"{n:03}.jpg", photo(300, 400, seed=n % 4))
    words = (tmp_path / "in", "-o", tmp_path / "out")
    run = nodes.start(*words)
    assert run.stdout
    lines = [run.stdout.readline() for _ in range(15)]
    nodes.take_one_away()
    lines += [run.stdout.readline() for _ in range(10)]
    run.send_signal(signal.SIGINT)
    rest, said = remaining(run)
    assert run.returncode == 130, said
    told = photos_of([*lines, *rest.splitlines()])
    assert {event["status"] for event in told} <= {"written", "up-to-date"}
    there = results(tmp_path / "out")  # with what the lost node had written, but could not tell
    assert there >= {Path(event["output"]).name for event in told}
    again = nodes.start(*words)
    out, said = again.communicate(timeout=100)
    assert again.returncode == 0, said
    summary = json.loads(out.splitlines()[-1])
    assert (summary["up_to_date"], summary["written"]) == (len(there), 120 - len(there))
    assert len(results(tmp_path / "out")) == 120
