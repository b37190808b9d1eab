"""--compare: the page names what is there, and works with mouse and keyboard in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from lptn_cli.photos import OWN_PICTURES
from tests.buckets import new_bucket, put, s3_server
from tests.command import Retouch, load, save, tree
from tests.conftest import photo


def data(page: Path) -> dict[str, Any]:
    text = re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert text
    found: dict[str, Any] = json.loads(text.group(1))
    return found


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    """Names with markup and quotes, a TIFF, and one that is broken."""
    folder = tmp_path / "shoot"
    save(folder / "a <b>&'\".jpg", photo(60, 90, seed=1))
    save(folder / "below" / "</script>.png", photo(90, 60, seed=2))
    save(folder / "c.tif", photo(50, 50, seed=3))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    return folder


def test_every_result_is_shown_with_pictures_that_are_there(
    shoot: Path, tmp_path: Path, retouch: Retouch
) -> None:
    out = tmp_path / "out"
    done = retouch(shoot, "-o", out, "--compare", "--strength", "0.8")
    assert done.code == 1
    assert "compare.html" in done.stderr
    found = data(out / "compare.html")
    assert "strength 0.8" in found["settings"]
    assert sorted(p["name"] for p in found["photos"]) == ["a <b>&'\".jpg", "below/</script>.png", "c.tif"]
    for shown in found["photos"]:
        for part in ("before", "after", "thumb"):
            assert (out / unquote(shown[part])).is_file()
        assert ("full" in shown) == (not shown["name"].endswith(".tif"))
        for link in shown.get("full", []):
            assert (out / unquote(link)).resolve().is_file()
    before, after = (load(out / unquote(found["photos"][0][part])).pixels for part in ("before", "after"))
    assert before.shape == after.shape
    assert np.abs(before.astype(int) - after).mean() > 3
    page = (out / "compare.html").read_text("utf-8")
    assert page.count("</script>") == 2  # no name closes it early
    assert "http" not in page.replace("http-equiv", "")


def test_a_photo_that_is_stored_rotated_is_shown_upright(tmp_path: Path, retouch: Retouch) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    PIL.Image.fromarray(photo(60, 90)).save(tmp_path / "in" / "a.jpg", exif=exif)
    for _ in range(2):  # made, and found made
        retouch(tmp_path / "in", "-o", tmp_path / "out", "--compare")
        (shown,) = data(tmp_path / "out" / "compare.html")["photos"]
        assert shown["size"] == "60 × 90"
        assert load(tmp_path / "out" / shown["before"]).pixels.shape == (90, 60, 3)


def test_a_second_run_keeps_pictures_and_takes_none_for_photos(
    shoot: Path, tmp_path: Path, retouch: Retouch
) -> None:
    out = tmp_path / "out"
    retouch(shoot, "-o", out, "--compare")
    thumbs = {path: path.stat().st_mtime_ns for path in (out / "compare").rglob("*.thumb.jpg")}
    assert len(thumbs) == 3
    retouch(shoot, "-o", out, "--compare")
    assert {path: path.stat().st_mtime_ns for path in thumbs} == thumbs
    assert len(data(out / "compare.html")["photos"]) == 3
    again = retouch(out, "-o", tmp_path / "again", "--json")
    assert set(again.photos()) == {"a <b>&'\".jpg", "script>.png", "c.tif"}
    retouch(shoot, "-o", out, "--compare", "--strength", "0.2")
    assert all(path.stat().st_mtime_ns > then for path, then in thumbs.items())


@pytest.mark.parametrize("part", ["before", "after", "thumb"])
def test_a_picture_that_has_gone_is_made_again(
    part: str, shoot: Path, tmp_path: Path, retouch: Retouch
) -> None:
    out = tmp_path / "out"
    retouch(shoot, "-o", out, "--compare")
    (out / "compare" / f"c.tif.{part}.jpg").unlink()
    retouch(shoot, "-o", out, "--compare")
    assert len(data(out / "compare.html")["photos"]) == 3
    assert (out / "compare" / f"c.tif.{part}.jpg").is_file()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_what_is_transparent_is_shown_on_white(tmp_path: Path, retouch: Retouch, dtype: str) -> None:
    pixels = photo(60, 90, dtype)
    most = np.iinfo(pixels.dtype).max
    alpha = np.full((60, 90, 1), most, dtype)
    pixels[:, :45], alpha[:, :45] = (most, 0, most), 0
    (tmp_path / "in").mkdir()
    Path(tmp_path / "in" / "a.png").write_bytes(imagecodecs.png_encode(np.dstack([pixels, alpha])))
    assert retouch(tmp_path / "in", "-o", tmp_path / "out", "--compare").code == 0
    for part in ("before", "after", "thumb"):
        shown = load(tmp_path / "out" / "compare" / f"a.png.{part}.jpg").pixels
        assert shown[:, : shown.shape[1] // 2 - 5].min() > 240


def test_pictures_that_have_no_place_are_said_before_the_first_photo(
    tmp_path: Path, retouch: Retouch
) -> None:
    save(tmp_path / "in" / "compare" / "a.jpg", photo(40, 60))
    done = retouch(tmp_path / "in", "-o", tmp_path / "out", "--compare")
    assert done.code == 2 and "in/compare/a.jpg would go among the pictures of --compare" in done.stderr
    assert not list((tmp_path / "out").rglob("*.jpg"))
    (tmp_path / "in" / "compare").rename(tmp_path / "in" / "other")
    (tmp_path / "out2").mkdir()
    (tmp_path / "out2" / "compare").write_bytes(b"mine")
    done = retouch(tmp_path / "in", "-o", tmp_path / "out2", "--compare")
    assert done.code == 4 and "for the pictures of --compare: " in done.stderr
    assert tree(tmp_path / "out2") == {"compare"}


def test_a_photo_whose_name_leaves_no_room_is_shown(tmp_path: Path, retouch: Retouch) -> None:
    names = ["é" * 125 + ending + ".png" for ending in ("a", "b")]
    for name in names:
        save(tmp_path / "in" / name, photo(40, 60))
    done = retouch(tmp_path / "in", "-o", tmp_path / "out", "--compare")
    assert done.code == 0
    found = data(tmp_path / "out" / "compare.html")["photos"]
    assert [one["name"] for one in found] == names
    assert len({one["thumb"] for one in found}) == 2


def test_photos_of_a_bucket_are_shown_beside_local_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retouch: Retouch
) -> None:
    with s3_server(monkeypatch):
        bucket = new_bucket("s3")
        put(f"{bucket}/a.jpg", photo(40, 60))
        done = retouch(bucket, "-o", tmp_path / "out", "--compare")
    assert done.code == 0, done.stderr
    (shown,) = data(tmp_path / "out" / "compare.html")["photos"]
    assert shown["name"] == "a.jpg" and "full" not in shown


def test_a_page_of_somebody_else_is_left_alone(shoot: Path, tmp_path: Path, retouch: Retouch) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "compare.html").write_text("mine")
    done = retouch(shoot, "-o", out, "--compare")
    assert done.code == 4
    assert "compare.html exists" in done.stderr
    assert (out / "compare.html").read_text() == "mine"
    assert tree(out) == {"compare.html"}  # said before the first photo is done
    assert retouch(shoot, "-o", out, "--compare", "--overwrite").code == 1
    assert len(data(out / "compare.html")["photos"]) == 3


def test_a_folder_of_pictures_of_somebody_else_is_left_alone(
    shoot: Path, tmp_path: Path, retouch: Retouch
) -> None:
    out = tmp_path / "out"
    save(out / "compare" / "wedding.jpg", photo(20, 20))
    done = retouch(shoot, "-o", out, "--compare")
    assert (done.code, "holds other files; rename it" in done.stderr) == (4, True)
    assert tree(out) == {"compare/wedding.jpg"}
    retouch(shoot, "-o", out)
    assert b"compare/wedding.jpg" in retouch(out, "-n", "-o", tmp_path / "x").stdout
    (out / "compare" / "wedding.jpg").unlink()
    (out / "compare" / ".DS_Store").touch()  # of a file manager that looked into it
    retouch(shoot, "-o", out, "--compare")
    assert (out / "compare.html").exists()


def test_only_results_of_lptn_are_shown_and_what_is_in_the_way_is_named(
    shoot: Path, tmp_path: Path, retouch: Retouch
) -> None:
    out = tmp_path / "out"
    save(out / "c.tif", photo(20, 20))  # somebody else's
    (out / "compare" / "below" / "<" / "script>.png.before.jpg").mkdir(parents=True)
    (out / "compare" / OWN_PICTURES).touch()
    done = retouch(shoot, "-o", out, "--compare")
    assert done.code == 4
    assert "script>.png" in done.stderr
    shutil.rmtree(out / "compare")
    retouch(shoot, "-o", out, "--compare")
    assert "c.tif" not in [shown["name"] for shown in data(out / "compare.html")["photos"]]


@pytest.mark.parametrize("output", ["x.jpg", "-"])
def test_one_file_has_no_page(output: str, tmp_path: Path, retouch: Retouch) -> None:
    source = save(tmp_path / "a.jpg", photo(40, 40))
    done = retouch(source, "-o", output if output == "-" else tmp_path / output, "--compare")
    assert done.code == 2
    assert "--compare" in done.error


@pytest.fixture
def browser() -> Iterator[Any]:
    selenium = pytest.importorskip("selenium.webdriver")
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not driver or not chromium:
        pytest.skip("needs chromium and chromium-driver (Debian packages)")
    options = selenium.ChromeOptions()
    options.binary_location = chromium
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,800"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    from selenium.webdriver.chrome.service import Service

    started = selenium.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


def test_the_page_works_in_a_browser(shoot: Path, tmp_path: Path, retouch: Retouch, browser: Any) -> None:
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.common.by import By

    out = tmp_path / "out"
    retouch(shoot, "-o", out, "--compare")
    browser.get((out / "compare.html").as_uri())
    tiles = browser.find_elements(By.CSS_SELECTOR, "#grid button")
    assert len(tiles) == 3
    tiles[0].click()
    pair, name = browser.find_element(By.ID, "pair"), browser.find_element(By.ID, "name")

    def place() -> float:
        return float(pair.get_attribute("aria-valuenow"))

    assert name.text == tiles[0].text
    assert place() == 50
    keys = ActionChains(browser)
    keys.send_keys(Keys.ARROW_LEFT).send_keys(Keys.ARROW_LEFT).perform()
    assert place() == 42
    box = pair.rect
    ActionChains(browser).move_to_element_with_offset(
        pair, -box["width"] // 4, 0
    ).click_and_hold().move_by_offset(box["width"] // 2, 0).release().perform()
    assert place() == pytest.approx(75, abs=3)
    ActionChains(browser).send_keys(Keys.ARROW_DOWN).perform()
    assert name.text == tiles[1].text or name.text == browser.execute_script("return photos[1].name")
    ActionChains(browser).send_keys("z").perform()
    whole = browser.execute_script("return document.getElementById('stage').classList.contains('whole')")
    assert whole == bool(browser.execute_script("return Boolean(photos[1].full)"))
    sizes = browser.execute_script(
        "return Promise.all(['before', 'after'].map(id => document.getElementById(id).decode()))"
        ".then(() => ['before', 'after'].map(id => document.getElementById(id).naturalWidth))"
    )
    assert sizes[0] == sizes[1] > 0
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not browser.execute_script("return document.getElementById('viewer').open")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
