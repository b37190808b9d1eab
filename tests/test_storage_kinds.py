"""Kinds of storage: those that a package or credentials are missing for, the web, what is not served."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.command import Retouch, load, save
from tests.conftest import photo


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [("gs://b/a.jpg", 4, "pip install 'lptn[gcs]'"), ("az://b/a.jpg", 4, "pip install 'lptn[azure]'"),
     ("abfss://c@a/b.jpg", 4, "pip install 'lptn[azure]'"),
     ("nowhere://b/a.jpg", 2, "no kind of storage")],
)  # fmt: skip
def test_a_missing_package_is_named(url: str, code: int, said: str, retouch: Retouch, tmp_path: Path) -> None:
    for words in ((url, "-o", tmp_path / "out.jpg"), (tmp_path, "-o", url)):
        save(tmp_path / "a.jpg", photo(40, 56))
        ran = retouch(*words)
        assert (ran.code, said in ran.error) == (code, True), ran


def test_storage_that_lacks_credentials_says_so(retouch: Retouch, tmp_path: Path) -> None:
    class Asking(MemoryFileSystem):  # type: ignore[misc]
        cachable = False

        def __init__(self, account_name: str = "", **options: Any) -> None:
            if not account_name:
                raise ValueError("Must provide an account_name with credentials!")
            super().__init__(**options)

        @staticmethod
        def _get_kwargs_from_urls(path: str) -> dict[str, str]:
            return {"account_name": "acct", "account_host": ""} if "@" in path else {}

    fsspec.register_implementation("asking", Asking, clobber=True)
    ran = retouch("asking://photos/2024/", "-o", tmp_path / "out")
    assert ran.code == 4 and "Must provide an account_name" in ran.error and "in the environment" in ran.error
    assert (
        retouch("asking://photos@acct/2024/", "-o", tmp_path / "out").code == 1
    )  # it is asked, and has none


def test_a_photo_from_the_web(retouch: Retouch, tmp_path: Path) -> None:
    save(tmp_path / "web" / "a.jpg", photo(40, 56))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "web")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        assert retouch(f"{url}/a.jpg", "-o", tmp_path / "x.jpg").code == 0
        signed = f"{url}/a.jpg?X-Amz-Expires=60&X-Amz-Signature=ab/c"
        assert retouch(signed, "-o", tmp_path / "signed", "--keep-times").code == 0
        again = retouch(f"{url}/a.jpg?X-Amz-Signature=another", "-o", tmp_path / "signed", "--json")
        for number in (1, 2):  # another photo, as far as is known
            assert retouch(f"{url}/a.jpg?id={number}", "-o", tmp_path / "asked").code == 0
        missing = retouch(f"{url}/b.jpg", "-o", tmp_path / "y.jpg")
        refused = retouch(tmp_path / "web", "-o", url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert load(tmp_path / "x.jpg").pixels.shape == (40, 56, 3)
    assert [path.name for path in (tmp_path / "signed").iterdir() if path.name[0] != "."] == ["a.jpg"]
    assert (tmp_path / "signed" / "a.jpg").stat().st_mtime > 1e9  # not 1970, as the web says no time
    assert len([path for path in (tmp_path / "asked").iterdir() if path.name[0] != "."]) == 2
    assert set(again.photos().values()) == {"up-to-date"}
    assert b"Signature" not in (tmp_path / "signed" / ".lptn-manifest.jsonl").read_bytes()
    assert (missing.code, "no such file" in missing.stderr) == (1, True)
    gone = retouch(f"{url}/a.jpg", "-o", tmp_path / "z.jpg")  # the server
    assert gone.code == 1 and "the storage says: " in gone.stderr and "no such file" not in gone.stderr
    assert (refused.code, "the web is for input only" in refused.error) == (4, True)


@pytest.mark.parametrize("url", ["ftp://host/photos", "github://a/b.jpg"])
def test_storage_that_wants_more_than_a_url_is_a_usage_error(
    url: str, folder: Path, retouch: Retouch, tmp_path: Path
) -> None:
    for words in ((url, "-o", tmp_path / "out"), (folder, "-o", url)):
        ran = retouch(*words)
        assert ran.code == 2
        assert "is not served; mount it" in ran.error


@pytest.mark.parametrize(("url", "extra"), [("s3://b/a.jpg", "s3"), ("https://h/a.jpg", "web")])
def test_storage_whose_package_is_missing_names_the_extra(
    url: str, extra: str, retouch: Retouch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("HTTPFileSystem requires aiohttp")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    ran = retouch(url, "-o", tmp_path / "out")
    assert (ran.code, f"pip install 'lptn[{extra}]'" in ran.error) == (4, True)
