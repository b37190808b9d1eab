"""Every example of the README runs, as it stands there, in a real shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lptn_cli.codecs import encode
from lptn_cli.codecs.image import EncodeOptions, Image
from tests.conftest import photo

ROOT = Path(__file__).parents[1]
EXAMPLES = re.search(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def save(path: Path, seed: int, dtype: str = "uint8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = EncodeOptions(format="png" if path.suffix == ".png" else "jpeg")
    path.write_bytes(encode(Image(pixels=photo(48, 64, dtype, seed), format=options.format), options))


def test_examples_run_as_they_stand(tmp_path: Path) -> None:
    assert EXAMPLES
    script = EXAMPLES.group(1)
    for tool in ("find", "jq"):
        if shutil.which(tool) is None:
            script = "\n".join(line for line in script.splitlines() if tool not in line)
    assert len(script.splitlines()) >= 9
    save(tmp_path / "holiday.jpg", 1)
    for n, name in enumerate(["a.jpg", "b/c.jpg", "drafts/d.jpg"]):
        save(tmp_path / "photos" / name, n)
    save(tmp_path / "scans" / "s.png", 9, "uint16")
    (tmp_path / "last-run").touch()
    os.utime(tmp_path / "last-run", (0, 0))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for made in ("better.jpg", "better-piped.jpg", "web/b/c.webp", "out/s.png", "out/b/c-retouch.jpg",
                 "public/a.jpg", "out/photos/b/c.jpg", "out2/a.jpg"):  # fmt: skip
        assert (tmp_path / made).stat().st_size > 0, made
    assert not (tmp_path / "public" / "drafts").exists()


def test_every_preset_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "presets").glob("*.toml"):
        assert f"| `{path.stem}` |" in text


@pytest.mark.parametrize("link", re.findall(r"\]\(((?!http)[^)]+)\)", (ROOT / "README.md").read_text()))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).is_file()
