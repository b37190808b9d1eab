"""The manifest of several writers: objects in a bucket, files on a shared disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

import fsspec
import pytest

from lptn_cli import parts, storage
from lptn_cli.manifest import Manifest
from lptn_cli.parts import Parts, read_parts
from lptn_cli.photos import PARTS, Photo
from lptn_cli.plan import Job
from lptn_cli.storage import Remote, located
from tests.buckets import new_bucket
from tests.command import Retouch, save, tree
from tests.conftest import photo


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.setattr(parts, "LINES", 4)
    url = located(new_bucket("memory") + "/out")
    assert isinstance(url, Remote)
    return url


def objects(out: Remote) -> list[str]:
    return sorted(fsspec.filesystem("memory").find(str(out / PARTS)))


def test_lines_of_all_writers_are_read_and_each_leaves_one_object(out: Remote) -> None:
    writers = [Parts(out) for _ in range(3)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: writers[n % 3].append(b"%d\n" % n), range(60)))
    assert sorted(map(int, read_parts(out))) == list(range(60))  # while they are at work
    assert len(objects(out)) > 3
    for writer in writers:
        writer.close()
    assert sorted(map(int, read_parts(out))) == list(range(60))
    assert len(objects(out)) == 3


def test_a_writer_that_is_killed_loses_no_line(out: Remote) -> None:
    writer = Parts(out)
    for n in range(10):
        writer.append(b"%d\n" % n)
    del writer  # not closed
    assert sorted(map(int, read_parts(out))) == list(range(10))


def test_a_writer_without_lines_leaves_nothing(out: Remote) -> None:
    Parts(out).close()
    assert objects(out) == []


def test_objects_that_are_merged_while_they_are_read(out: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Parts(out)
    for n in range(10):
        writer.append(b"%d\n" % n)
    listed, closed = storage.entries, list[bool]()

    def then_closed(folder: Remote) -> list[storage.Entry]:
        found = listed(folder)
        if not closed:
            closed.append(True)
            writer.close()
        return found

    monkeypatch.setattr(storage, "entries", then_closed)
    assert sorted(map(int, read_parts(out))) == list(range(10))


def test_of_two_writers_lines_for_one_output_the_later_wins(tmp_path: Path) -> None:
    job = Job(1, Photo(tmp_path / "a.jpg", PurePath("a.jpg"), 5, 6), tmp_path / "out" / "a.jpg", None)
    with Manifest.open(tmp_path / "out", "b") as second, Manifest.open(tmp_path / "out", "a") as first:
        job.output.write_bytes(b"x")
        second.record(job, "old", job.output.stat())
        first.record(job, "new", job.output.stat())
    with Manifest.open(tmp_path / "out") as merged:  # b.jsonl is read last
        assert merged.up_to_date(job, "new")
        assert merged.owns(job.output)
        merged.record(job, "newest", job.output.stat())
    with Manifest.open(tmp_path / "out", "a") as merged:
        assert merged.up_to_date(job, "newest")


def test_results_of_shards_are_no_photos(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    assert retouch(folder, "-o", folder / "out", "--shard", "1/1").code == 0
    assert retouch(folder, "-o", tmp_path / "second").code == 0
    assert tree(tmp_path / "second") == {"a.jpg", "b.jpg", "sub/c.png"}
    save(folder / "d.jpg", photo(40, 56))
    assert retouch(folder, "-o", folder / "out", "--json").events[-1]["up_to_date"] == 3
