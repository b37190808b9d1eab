"""A real S3 server on loopback (moto's), and buckets in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, Image

NUMBERS = itertools.count()


@contextmanager
def s3_server(environment: pytest.MonkeyPatch) -> Iterator[str]:
    """Runs the server and points fsspec to it; gives its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    facts = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in (facts | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        environment.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    try:
        yield address
    finally:
        fsspec.filesystem("s3").clear_instance_cache()
        server.stop()


def new_bucket(scheme: str) -> str:
    """The URL of a new, empty place: `s3://...` or `memory://...`."""
    url = f"{scheme}://bucket-{next(NUMBERS)}"
    fsspec.filesystem(scheme).mkdir(url)
    return url


def put(url: str, pixels: Any, format: Any = "jpeg") -> bytes:
    data = codecs.encode(Image(pixels, format), EncodeOptions(format))
    fsspec.filesystem(url.partition(":")[0]).pipe_file(url, data)
    return data


def get(url: str) -> bytes:
    data: bytes = fsspec.filesystem(url.partition(":")[0]).cat_file(url)
    return data


def names(url: str) -> set[str]:
    """What is below, but the manifest."""
    filesystem = fsspec.filesystem(url.partition(":")[0])
    filesystem.invalidate_cache()
    try:
        found = filesystem.find(url)
    except FileNotFoundError:
        return set()
    top = filesystem._strip_protocol(url)
    below = {str(Path(name).relative_to(top)) for name in found}
    return {name for name in below if not name.startswith(".lptn-manifest")}
