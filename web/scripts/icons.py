"""Draws the page's icons as PNG files from `public/icon.svg`, with Chromium: `../.venv/bin/python scripts/icons.py`."""

import re
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

PUBLIC: Final = Path(__file__).resolve().parent.parent / "public"
CHROMIUM: Final = "/usr/bin/chromium"


def main() -> None:
    drawing = (PUBLIC / "icon.svg").read_text()
    # Where a device cuts the shape out itself, the colour has to reach the edges.
    square = drawing.replace(' rx="16"', "")
    # Only the mark: devices fill it with a colour of theirs.
    mark = re.sub(r"<rect[^>]*/>", "", drawing)
    icons = {
        "icon-32.png": (drawing, 32),
        "icon-192.png": (drawing, 192),
        "icon-512.png": (drawing, 512),
        "icon-maskable-192.png": (square, 192),
        "icon-maskable-512.png": (square, 512),
        "icon-monochrome-512.png": (mark, 512),
        "apple-touch-icon.png": (square, 180),
    }
    target = PUBLIC / "icons"
    target.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        for name, (svg, size) in icons.items():
            page.set_viewport_size({"width": size, "height": size})
            page.set_content(f"<style>body{{margin:0}}svg{{display:block;width:{size}px;height:{size}px}}</style>{svg}")
            page.screenshot(path=target / name, omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
