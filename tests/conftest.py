"""Photos and presets that the tests make for themselves."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lptn_cli import Retoucher
from lptn_cli.branches import Variant
from lptn_cli.checkpoint import write_preset
from lptn_cli.network import LPTN
from lptn_cli.photos import Photo
from lptn_cli.plan import Job
from lptn_cli.preset import Preset
from lptn_cli.settings import Settings
from lptn_cli.training.loop import near_identity
from tests.command import Retouch, run, save
from tests.manifests import make_job

torch.set_num_threads(1)  # the tests' networks are too small to share, and CI's cores are busy

OWN = Variant(padding="reflect", normalization="none", output="linear")


def photo(height: int, width: int, dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
    """(height, width, 3): smooth shades, an edge and some texture, using most of the range of the type."""
    numbers = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = [0.15 + 0.6 * x, 0.2 + 0.5 * y, 0.5 + 0.3 * np.sin(6 * x + 4 * y)]
    picture = np.stack(planes, axis=-1) + 0.04 * numbers.standard_normal((height, width, 1))
    picture[y > 0.5 + 0.2 * np.sin(9 * x)] *= 0.4
    top = np.iinfo(dtype).max
    pixels: NDArray[Any] = np.rint(picture.clip(0, 1) * top).astype(dtype)
    return pixels


def make_preset(
    folder: Path, name: str = "dusk", native_scale: int | None = 64, seed: int = 3, *, context: bool = True
) -> Preset:
    """A small paper-form preset that visibly darkens and cools, written to `folder`."""
    torch.manual_seed(seed)
    network = near_identity(LPTN(nrb_low=1, nrb_high=1, num_high=3, variant=OWN, context=context))
    with torch.no_grad():
        state = network.state_dict()
        state["trans_low.model.8.bias"].copy_(torch.tensor([-0.15, -0.10, -0.02]))
        state["trans_high.model.3.bias"].fill_(0.8)
    said = {"description": "a small look for tests", "license": "Apache-2.0"}
    if native_scale:
        said["native_scale"] = native_scale  # type: ignore[assignment]
    return write_preset(name, folder, network, said, overwrite=True)


@pytest.fixture(scope="session")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return make_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture
def settings(preset: Preset) -> Settings:
    return Settings(preset, strength=1.0)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs whose target is brighter and warmer, wide and tall ones, and some that cannot be used."""
    folder = tmp_path_factory.mktemp("pairs")
    for part in ("input", "target"):
        (folder / part).mkdir()
    for n in range(12):
        size = (64, 80) if n % 3 else (90, 64)
        before = photo(*size, seed=n) // 2
        after = np.clip(before * np.array([1.6, 1.5, 1.3]), 0, 255).astype(np.uint8)
        for part, pixels in (("input", before), ("target", after)):
            save(folder / part / f"{n:02}.png", pixels)
    (folder / "input" / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    (folder / "input" / "alone.png").write_bytes((folder / "input" / "00.png").read_bytes())
    return folder


@pytest.fixture(autouse=True)
def _no_presets_of_the_user(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests neither see nor touch what the person who runs them has installed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
    monkeypatch.delenv("LPTN_PRESET", raising=False)


@pytest.fixture
def retouch(preset: Preset) -> Retouch:
    """`lptn retouch` with the preset of the tests."""
    return lambda *words, **options: run("retouch", "-p", preset.path, *words, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos and one in a folder below."""
    for name, seed in (("a.jpg", 1), ("b.jpg", 2), ("sub/c.png", 3)):
        save(tmp_path / "in" / name, photo(40, 56, seed=seed))
    return tmp_path / "in"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A photo in tmp_path/in that is finished in tmp_path/out, which `out` is."""
    return make_job(tmp_path)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="module")
def look(preset: Preset) -> Retoucher:
    """A preset of a native scale, on the CPU."""
    return Retoucher(preset, "cpu")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Retoucher:
    """A preset of the published way, at full resolution, on the CPU."""
    return Retoucher(make_preset(tmp_path_factory.mktemp("published"), native_scale=None), "cpu")


def photo_at(name: str, root: str = "/in") -> Photo:
    """One to be named: it need not be there."""
    return Photo(Path(root, name), PurePath(name), 1, 1)
