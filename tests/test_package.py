"""What is released: wheel and sdist carry the web page, and an installation from them serves it without Node."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
NODE_MODULES = ROOT / "web/node_modules"
LIMIT_S = 100.0
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "dist", "results"
)

needs_node = pytest.mark.skipif(
    shutil.which("npm") is None or not (NODE_MODULES / ".package-lock.json").is_file(),
    reason="the page is built with Node and what `make page` installs",
)


@dataclass(frozen=True)
class Built:
    """A distribution, what the build said, and what is in it."""

    file: Path
    said: str
    names: frozenset[str]

    def unpacked(self, into: Path) -> Path:
        """Its top directory."""
        if self.file.suffix == ".whl":
            with zipfile.ZipFile(self.file) as wheel:
                wheel.extractall(into)  # noqa: S202 - it is our own
            return into
        with tarfile.open(self.file) as sdist:
            sdist.extractall(into, filter="data")
        return next(into.iterdir())


def build(kind: str, source: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`environ`: instead of what is usual; without PATH there is no Node."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(source / "dist")]
    return subprocess.run(
        command, cwd=source, env={"PATH": "", **environ}, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def built(kind: str, source: Path, **environ: str) -> Built:
    ended = build(kind, source, **environ)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    file = next((source / "dist").glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[kind]))
    if kind == "wheel":
        with zipfile.ZipFile(file) as wheel:
            return Built(file, ended.stdout + ended.stderr, frozenset(wheel.namelist()))
    with tarfile.open(file) as sdist:
        names = frozenset(name.partition("/")[2] for name in sdist.getnames())
    return Built(file, ended.stdout + ended.stderr, names)


def copy_of_the_sources(into: Path) -> Path:
    """As in a fresh checkout: without the page."""
    shutil.copytree(ROOT, into, ignore=LEFT_OUT)
    shutil.rmtree(into / "sygen_bot/web", ignore_errors=True)
    return into


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    """An sdist, built where Node is, and the wheel that is built from it where Node is not."""
    source = copy_of_the_sources(tmp_path_factory.mktemp("released") / "source")
    (source / "web/node_modules").symlink_to(NODE_MODULES)
    sdist = built("sdist", source, PATH=os.environ["PATH"], SYGEN_REQUIRE_PAGE="1")
    wheel = built("wheel", sdist.unpacked(tmp_path_factory.mktemp("sdist")), SYGEN_REQUIRE_PAGE="1")
    return sdist, wheel


def page_in(names: frozenset[str]) -> set[str]:
    return {name for name in names if name.startswith("sygen_bot/web/")}


@needs_node
def test_both_carry_the_page_and_what_is_compressed_of_it(released: tuple[Built, Built]) -> None:
    sdist, wheel = released
    page = page_in(wheel.names)
    assert "sygen_bot/web/index.html" in page
    scripts = {name for name in page if name.startswith("sygen_bot/web/assets/") and name.endswith(".js")}
    assert any({f"{name}.br", f"{name}.gz"} <= page for name in scripts)
    assert page_in(sdist.names) == page


@needs_node
def test_the_sdist_carries_the_sources_of_the_page_and_not_what_builds_it(released: tuple[Built, Built]) -> None:
    sdist, wheel = released
    assert {
        "web/package.json",
        "web/package-lock.json",
        "web/vite.config.ts",
        "web/index.html",
        "web/src/main.tsx",
    } <= sdist.names
    assert "hatch_build.py" in sdist.names
    assert not [name for name in sdist.names | wheel.names if "node_modules" in name]
    assert not [name for name in wheel.names if not name.startswith(("sygen_bot/", "sygen_bot-"))]


@needs_node
def test_an_installed_wheel_serves_the_page(released: tuple[Built, Built], tmp_path: Path) -> None:
    installed = released[1].unpacked(tmp_path / "installed")
    environ = {"SYGEN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(installed), "PATH": "", "HOME": str(tmp_path)}
    command = [
        sys.executable,
        "-m",
        "sygen_bot",
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--provider",
        "scripted",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as gateway:
        try:
            assert gateway.stdout is not None
            url = gateway.stdout.readline().decode().removeprefix("listening on ").strip()
            answer = httpx.get(url)
            assert answer.content == (installed / "sygen_bot/web/index.html").read_bytes()
            script = next((installed / "sygen_bot/web/assets").glob("index-*.js"))
            answer = httpx.get(f"{url}/assets/{script.name}", headers={"Accept-Encoding": "gzip"})
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.content == script.read_bytes()
        finally:
            gateway.terminate()


@needs_node
def test_a_page_older_than_its_sources_is_built_again(tmp_path: Path) -> None:
    source = copy_of_the_sources(tmp_path / "source")
    (source / "web/node_modules").symlink_to(NODE_MODULES)
    page = source / "sygen_bot/web/index.html"
    page.parent.mkdir()
    page.write_text("an old page")
    (page.parent / "left-over.txt").write_text("of the old page")
    os.utime(page, (1, 1))
    wheel = built("wheel", source, PATH=os.environ["PATH"])
    assert page.read_text() != "an old page"
    assert "sygen_bot/web/left-over.txt" not in wheel.names
    os.utime(page)
    page.write_text("a page newer than all sources")
    assert "sygen_bot/web/index.html" in built("wheel", source, PATH=os.environ["PATH"]).names
    assert page.read_text() == "a page newer than all sources"


def test_without_node_a_package_has_no_page_and_says_so_but_a_release_is_refused(tmp_path: Path) -> None:
    source = copy_of_the_sources(tmp_path / "source")
    refused = build("wheel", source, SYGEN_REQUIRE_PAGE="1")
    assert refused.returncode != 0
    assert "Node 20.19 or newer" in refused.stdout + refused.stderr
    assert not (source / "dist").exists() or not list((source / "dist").glob("*.whl"))
    wheel = built("wheel", source)
    assert "This package carries no web page" in wheel.said
    assert not page_in(wheel.names)
    assert "sygen_bot/api/page.py" in wheel.names


def test_an_editable_install_builds_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("SYGEN_REQUIRE_PAGE", "1")
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))["PageBuild"](str(tmp_path), {}, None, None, "", "wheel")
    hook.initialize("editable", {})
    with pytest.raises(RuntimeError, match=r"Node 20\.19 or newer"):
        hook.initialize("standard", {})
