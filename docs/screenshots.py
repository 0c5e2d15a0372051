"""Make the images of the page in the documentation, from photographs that may be copied.

    python docs/screenshots.py

Needs the extras `[demo,dev]` and the browser Chromium. The photographs come with scikit-image, with
scikit-learn and, if they are installed, with Debian's `lomiri-wallpapers-16.04`; only those in the
public domain or under CC0 or CC BY are used. `docs/guides/web.md` has the credits. Text is set in
Inter where it is installed, as by Debian's `fonts-inter`.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

BACKGROUNDS = Path("/usr/share/backgrounds")
PHOTOGRAPHS = {
    "skimage/data": (
        "astronaut.png",
        "camera.png",
        "chelsea.png",
        "coffee.png",
        "coins.png",
        "hubble_deep_field.jpg",
        "moon.png",
        "motorcycle_left.png",
        "retina.jpg",
        "rocket.jpg",
    ),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
    "": (
        "Picture_0B_by_freespace.jpg",
        "Picture_1A_by_freespace.jpg",
        "Wine_by_Jakkub_Mede.jpg",
        "aitzgorri_by_Aitzol_Berasategi.jpg",
        "friends_by_Aitzol_Berasategi.jpg",
        "life_by_Aitzol_Berasategi.jpg",
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "seeding_by_Clements_Engelhardt.jpg",
        "sunset_by_Aitzol_Berasategi.jpg",
        "umang_by_Abhishek_Mudgal.jpg",
    ),
}
DESKTOP = {"width": 1400, "height": 860}
PHONE = {"width": 390, "height": 780}
QUALITY = 82


def main(target: Path, backgrounds: Path = BACKGROUNDS) -> None:
    """Take the screenshots and write them into a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "Pictures"
        copy_photographs(folder, backgrounds)
        with serve(folder) as address, sync_playwright() as runner:
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = runner.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            search(browser, address, target / "web-search.webp")
            explain(browser, address, target / "web-explain.webp")
            phone(browser, address, target / "web-phone.webp")
            browser.close()


def copy_photographs(folder: Path, backgrounds: Path) -> None:
    """Copy what is installed of PHOTOGRAPHS."""
    folder.mkdir()
    for source, names in PHOTOGRAPHS.items():
        for name in names:
            path = _package_path(source) / name if source else backgrounds / name
            if path.is_file():
                shutil.copy(path, folder)
            else:
                print(f"left out: {path} is not installed", file=sys.stderr)


def _package_path(source: str) -> Path:
    package, _, below = source.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"{package} is not installed: pip install 'clipsearch[demo]'")
    return Path(spec.submodule_search_locations[0]) / below


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Ingest a folder, serve it, and yield the address of the page."""
    environment = os.environ | {
        "CLIPSEARCH_MODEL": "pocket",
        "CLIPSEARCH_URI": str(folder.parent / "images.db"),
        "CLIPSEARCH_CACHE": str(folder.parent / "cache"),
    }
    command = [sys.executable, "-m", "clipsearch"]
    subprocess.run([*command, "ingest", folder], env=environment, check=True)
    server = subprocess.Popen(
        [*command, "serve", "--port", "0"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        found = next(filter(None, (re.search(r"http://\S+", line) for line in server.stderr)), None)
        if found is None:
            sys.exit("clipsearch serve did not start")
        yield found[0]
    finally:
        server.terminate()
        server.wait()


def search(browser: Browser, address: str, target: Path) -> None:
    """The results of an image and two texts, in dark."""
    page = open_page(browser, address, "mountains", "dark")
    id_ = page.locator('.tile[aria-posinset="1"]').get_attribute("data-id")
    page = open_page(browser, address, f"id:{id_} + flowers - 0.5:people", "dark")
    save(page, target)


def explain(browser: Browser, address: str, target: Path) -> None:
    """An open image with the heat map of a text, in dark."""
    page = open_page(browser, address, "a cup of coffee", "dark")
    page.locator('.tile[aria-posinset="1"] .tile-link').click()
    page.get_by_role("button", name="Explain").first.click()
    page.locator(".heat").wait_for(timeout=60_000)
    page.mouse.move(500, 820)
    save(page, target)


def phone(browser: Browser, address: str, target: Path) -> None:
    """The page on a phone, in light and in dark, side by side."""
    images = []
    for theme, query in (("light", ""), ("dark", "flowers")):
        page = open_page(browser, address, query, theme, PHONE, is_mobile=True)
        images.append(Image.open(io.BytesIO(page.screenshot())))
    gap = 24
    width = sum(image.width for image in images) + gap
    sheet = Image.new("RGB", (width, images[0].height), "#808085")
    for number, image in enumerate(images):
        sheet.paste(image, (number * (image.width + gap), 0))
    sheet.save(target, quality=QUALITY, method=6)


def open_page(
    browser: Browser,
    address: str,
    query: str,
    theme: str,
    size: dict[str, int] = DESKTOP,
    *,
    is_mobile: bool = False,
) -> Page:
    """Open the page with a query, without a cut, in a new window; wait for its images."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        is_mobile=is_mobile,
        has_touch=is_mobile,
    )
    page = context.new_page()
    page.goto(f"{address.rstrip('/')}/?{urlencode({'q': query, 'min_z': 0})}")
    page.locator(".tile img.loaded").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    return page


def save(page: Page, target: Path) -> None:
    """Write a screenshot as WebP."""
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").save(target, quality=QUALITY, method=6)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent,
        Path(sys.argv[2]) if sys.argv[2:] else BACKGROUNDS,
    )
