"""The build of the web page, as a part of building the package: wheel and sdist carry it, so that installing needs no Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuild(BuildHookInterface):  # type: ignore[type-arg]  # generic only for its own plugins
    """Builds the page where it is missing or older than its sources. An editable install has none: `make page` makes it.

    Without Node the package is built all the same, and says so; with SYGEN_REQUIRE_PAGE=1, as for a release, that is an error.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's names
        if version == "editable":
            return
        root = Path(self.root)
        if is_fresh(root):
            return
        if (problem := build_page(root)) is None:
            return
        if os.environ.get("SYGEN_REQUIRE_PAGE") == "1":
            raise RuntimeError(f"The web page cannot be built: {problem}")
        has = "an old web page" if (root / "sygen_bot/web/index.html").is_file() else "no web page"
        self.app.display_warning(f"This package carries {has}: {problem}")


def is_fresh(root: Path) -> bool:
    """Whether the page is there and none of its sources is newer."""
    page, web = root / "sygen_bot/web/index.html", root / "web"
    if not page.is_file():
        return False
    version = root / "sygen_bot/__init__.py"  # the page says it
    sources = (web.glob("*.*"), *((web / name).rglob("*") for name in ("src", "public")), [version])
    built_at = page.stat().st_mtime
    return all(path.stat().st_mtime <= built_at for paths in sources for path in paths if path.is_file())


def build_page(root: Path) -> str | None:
    """None if that worked, else why not."""
    web, npm, node = root / "web", shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return "that takes Node 20.19 or newer, with npm"
    commands = [[node, "scripts/check-node.mjs"], [npm, "run", "build", "--loglevel=error"]]
    if not _has_dependencies(web):
        commands.insert(1, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    for command in commands:
        ended = subprocess.run(command, cwd=web, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            return f"{' '.join(command[1:])}\n{ended.stdout}{ended.stderr}".strip()
    return None


def _has_dependencies(web: Path) -> bool:
    """Whether what is installed is what the lock file names: npm writes its own copy of it at the end."""
    installed, locked = web / "node_modules/.package-lock.json", web / "package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= locked.stat().st_mtime
