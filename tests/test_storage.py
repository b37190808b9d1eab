"""Photos and results at URLs: in memory, and on a real S3 server on loopback."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lptn_cli import storage
from lptn_cli.errors import ReadError, UsageError, WriteError
from lptn_cli.storage import Remote, located
from tests.buckets import get, names, new_bucket, put, s3_server
from tests.command import Retouch, tree
from tests.conftest import photo


@pytest.fixture(scope="module")
def _server() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment, s3_server(environment):
        yield


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest) -> str:
    """Three photos in a new bucket, one of them in a folder below."""
    if request.param == "s3":
        request.getfixturevalue("_server")
    url = new_bucket(request.param)
    for name, seed in (("in/a.jpg", 1), ("in/b.jpg", 2), ("in/sub/c.jpg", 3), ("in/.hidden.jpg", 4)):
        put(f"{url}/{name}", photo(40, 56, seed=seed))
    return url


MIRROR = {"a.jpg", "b.jpg", "sub/c.jpg"}


def test_a_url_is_a_path() -> None:
    url = located("s3://bucket/shoot/a.JPG")
    assert isinstance(url, Remote)
    assert (str(url), url.name, url.suffix) == ("s3://bucket/shoot/a.JPG", "a.JPG", ".JPG")
    assert str(url.parent / "b.png") == "s3://bucket/shoot/b.png"
    assert isinstance(url.parent, Remote)
    assert pickle.loads(pickle.dumps(url)) == url
    assert located("s3://bucket/shoot/") == url.parent
    for local in ("photos/a.jpg", "/photos", "a:b.jpg", "-", "s3:/b", "file:///photos"):
        assert not isinstance(located(local), Remote)


@pytest.mark.parametrize("url", ["s3://b//a.jpg", "s3://b/./a.jpg", "s3:///a.jpg"])
def test_a_url_that_a_path_cannot_hold_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        located(url)


def test_local_runs_do_not_load_fsspec(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] in ("s3fs",)]:
        del sys.modules[module]
    assert retouch(folder, "-o", tmp_path / "out").code == 0
    assert "s3fs" not in sys.modules


def test_an_object_that_has_gone_is_no_failure_of_the_storage(bucket: str) -> None:
    gone = Remote(f"{bucket}/in/gone.jpg")
    assert storage.status(gone) is None and not storage.exists(gone, listed=True)
    with pytest.raises(ReadError, match="no longer there"):
        storage.read(gone, 5)


def test_from_bucket_to_bucket_and_again(bucket: str, retouch: Retouch) -> None:
    words = (f"{bucket}/in", "-o", f"{bucket}/out", "--json")
    first = retouch(*words)
    assert first.code == 0, first.stderr
    assert {event["output"] for event in first.events[1:-1]} == {f"{bucket}/out/{name}" for name in MIRROR}
    assert names(f"{bucket}/out") == MIRROR
    assert first.events[-1]["written"] == 3
    second = retouch(*words)
    assert (second.code, second.events[-1]["up_to_date"]) == (0, 3)
    other = retouch(*words, "-s", "0.5")
    assert (other.code, other.events[-1]["written"]) == (0, 3)
    put(f"{bucket}/in/a.jpg", photo(48, 56, seed=9))
    changed = retouch(*words, "-s", "0.5")
    assert (changed.code, changed.events[-1]["written"], changed.events[-1]["up_to_date"]) == (0, 1, 2)


def test_the_same_bytes_as_on_a_disk(bucket: str, retouch: Retouch, tmp_path: Path) -> None:
    local = tmp_path / "in" / "a.jpg"
    local.parent.mkdir()
    local.write_bytes(get(f"{bucket}/in/a.jpg"))
    assert retouch(local, "-o", tmp_path / "there.jpg").code == 0
    assert retouch(f"{bucket}/in/a.jpg", "-o", tmp_path / "down.jpg").code == 0
    assert retouch(local, "-o", f"{bucket}/up.jpg").code == 0
    assert (tmp_path / "there.jpg").read_bytes() == (tmp_path / "down.jpg").read_bytes()
    assert (tmp_path / "there.jpg").read_bytes() == get(f"{bucket}/up.jpg")


def test_somebody_elses_objects_are_safe(bucket: str, retouch: Retouch) -> None:
    words = (f"{bucket}/in", "-o", f"{bucket}/out", "--json")
    put(f"{bucket}/out/a.jpg", photo(8, 8))
    theirs = get(f"{bucket}/out/a.jpg")
    ran = retouch(*words)
    assert (ran.code, ran.photos()["a.jpg"]) == (1, "failed")
    assert "--overwrite" in ran.stderr
    assert get(f"{bucket}/out/a.jpg") == theirs
    assert retouch(*words, "--overwrite").code == 0
    put(f"{bucket}/out/b.jpg", photo(8, 9))  # changed since
    again = retouch(*words, "-s", "0.5")
    assert (again.code, again.photos()["b.jpg"]) == (1, "failed")
    assert "was changed since" in again.stderr


def test_a_photo_whose_upload_failed_is_done_again(
    bucket: str, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (f"{bucket}/in/a.jpg", f"{bucket}/in/b.jpg", "-o", f"{bucket}/out/", "--json")
    assert retouch(*words).code == 0
    first, write = get(f"{bucket}/out/a.jpg"), storage.write

    def failing(remote: Remote, data: bytes, **options: Any) -> None:
        if remote.name == "a.jpg":
            options["before"](storage.Entry(remote.name, False, len(data), time.time_ns()))
            raise WriteError("the storage says: 503")
        write(remote, data, **options)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "write", failing)
        assert retouch(*words, "-s", "0.5").photos() == {"a.jpg": "failed", "b.jpg": "written"}
    assert get(f"{bucket}/out/a.jpg") == first
    assert retouch(*words, "-s", "0.5").photos() == {"a.jpg": "written", "b.jpg": "up-to-date"}
    assert get(f"{bucket}/out/a.jpg") != first


def test_results_of_other_photos_in_a_bucket_are_not_replaced(bucket: str, retouch: Retouch) -> None:
    put(f"{bucket}/2024/a.jpg", photo(40, 56, seed=8))
    assert retouch(f"{bucket}/in", "-o", f"{bucket}/out").code == 0
    ran = retouch(f"{bucket}/2024", "-o", f"{bucket}/out")
    assert (ran.code, f"the result of {bucket}/in/a.jpg" in ran.error) == (2, True)
    assert retouch(f"{bucket}/2024", "-o", f"{bucket}/out", "--overwrite").code == 0


def test_an_object_that_appears_meanwhile_is_safe(bucket: str) -> None:
    remote = located(f"{bucket}/x.jpg")
    assert isinstance(remote, Remote)
    storage.write(remote, b"theirs", overwrite=False)
    with pytest.raises(WriteError, match="--overwrite"):
        storage.write(remote, b"ours", overwrite=False)
    assert get(str(remote)) == b"theirs"


def test_plan_templates_and_collisions(bucket: str, retouch: Retouch) -> None:
    out = f"{bucket}/out"
    dry = retouch(f"{bucket}/in", "-o", out, "-n", "--name", "{stem}-{preset}-{n:02d}{ext}")
    assert dry.code == 0
    assert dry.stdout.splitlines()[2] == f"write\t{bucket}/in/sub/c.jpg\t{out}/c-dusk-03.jpg".encode()
    assert names(out) == set()
    put(f"{bucket}/in/sub/a.jpg", photo(40, 56))
    clash = retouch(f"{bucket}/in", "-o", out, "--name", "{stem}{ext}")
    assert (clash.code, "would both be written" in clash.error) == (2, True)
    same = retouch(f"{bucket}/in", "-o", f"{bucket}/in")
    assert (same.code, "which is the input" in same.error) == (2, True)
    for option in ("--keep-times", "--compare"):
        assert retouch(f"{bucket}/in", "-o", out, option).code == 2


def test_results_of_earlier_runs_are_no_photos(bucket: str, retouch: Retouch) -> None:
    assert retouch(f"{bucket}/in", "-o", f"{bucket}/in/out").code == 0
    ran = retouch(f"{bucket}/in", "-o", f"{bucket}/second", "--json")
    assert (ran.code, ran.events[-1]["written"]) == (0, 3)
    assert names(f"{bucket}/second") == MIRROR
    put(f"{bucket}/in/out/sub/new.jpg", photo(40, 56, seed=5))
    ran = retouch(f"{bucket}/in", "-o", f"{bucket}/third")
    assert names(f"{bucket}/third") == {*MIRROR, "out/sub/new.jpg"}
    assert f"results of an earlier run in {bucket}/in/out are passed over" in ran.stderr


def test_shards_in_a_bucket(bucket: str, retouch: Retouch) -> None:
    words = (f"{bucket}/in", "-o", f"{bucket}/out", "--json")
    parts = [retouch(*words, "--shard", f"{n}/3").events[-1]["written"] for n in (1, 2, 3)]
    assert sum(parts) == 3
    assert retouch(*words).events[-1]["up_to_date"] == 3


def test_lists_of_urls_keep_their_folders(bucket: str, retouch: Retouch, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{bucket}/in/a.jpg\n{bucket}/in/sub/c.jpg\n")
    assert retouch("--files-from", tmp_path / "list", "-o", tmp_path / "out").code == 0
    place = bucket.partition("//")[2]
    assert tree(tmp_path / "out") == {f"{place}/in/a.jpg", f"{place}/in/sub/c.jpg"}


def test_what_is_not_there_is_one_line(bucket: str, retouch: Retouch, tmp_path: Path) -> None:
    ran = retouch(f"{bucket}/in/none.jpg", "-o", tmp_path / "x.jpg", "--json")
    assert (ran.code, ran.photos()) == (1, {"none.jpg": "failed"})
    assert "no such file" in ran.stderr
    put(f"{bucket}/in/bad.jpg", photo(8, 8))
    fsspec.filesystem(bucket.partition(":")[0]).pipe_file(f"{bucket}/in/bad.jpg", b"not a photo")
    assert retouch(f"{bucket}/in", "-o", tmp_path / "out", "--json").photos()["bad.jpg"] == "failed"


def test_a_bucket_that_cannot_be_written_is_a_start_error(
    _server: None, folder: Path, retouch: Retouch
) -> None:
    ran = retouch(folder, "-o", "s3://no-such-bucket/out")
    assert ran.code == 4
    assert "no-such-bucket" in ran.error
