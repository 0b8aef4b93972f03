"""Attacks on files over HTTP: every way out of the allowed roots, and every request that should cost more than it may."""

from __future__ import annotations

import asyncio
import os
import re
import string
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote, quote_from_bytes, urlsplit

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.files_rig import SECRET, Rig, assert_harmless, assert_refused, disposition, files_rig, picture
from tests.api.wire import client

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSALS = (400, 403, 404)
ROUNDS = 160


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rigs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Rig]]:
    """A gateway of each kind of `file_access`; the user's home is that of the last."""
    folder = tmp_path_factory.mktemp("attacks")
    async with AsyncExitStack() as stack:
        yield {
            access: await stack.enter_async_context(files_rig(folder / access, file_access=access))
            for access in ("all", "workspace", "home")
        }


@pytest.fixture(params=["workspace", "home", "all"])
def rig(rigs: dict[str, Rig], request: pytest.FixtureRequest) -> Rig:
    """Each of them in turn."""
    return rigs[request.param]


@pytest.fixture(params=["workspace", "home"])
def walled(rigs: dict[str, Rig], request: pytest.FixtureRequest) -> Rig:
    """Those that do not show everything anyway."""
    return rigs[request.param]


# --- the way out ------------------------------------------------------------------------------------------------------

UP = "../ %2e%2e/ %2E%2E/ .%2e/ %2e./ ..%2f ..%2F %2e%2e%2f ..%5c ..\\ %2e%2e%5c %252e%252e%252f ..%252f %25%32%65%25%32%65/"
UP += " %c0%ae%c0%ae/ ..%c0%af ..%c1%9c %e0%80%ae%e0%80%ae/ %f0%80%80%ae%f0%80%80%ae/ %uff0e%uff0e/ %u002e%u002e/ ..%u2215"
UP += " ..%ef%bc%8f %ef%bc%8e%ef%bc%8e/ %e2%80%a5/ ..%e2%88%95 ..%e2%81%84 ..;/ ....// ..././ ...\\./ ..%00/ %00../ ..%0d%0a/"
UP += " ..%09/ ..%20/ ..+/ .././ ..// /..// %2e%2e%3b/ ..%26/ ..%23/ ..%ff/ ..%ed%a0%80/ ..%e2%80%8b/ ..%e2%80%ae/ .%cc%88./"


@pytest.mark.parametrize("up", UP.split())
async def test_dots_lead_nowhere_in_any_encoding(walled: Rig, up: str) -> None:
    walled.hide()
    inner = walled.put("a/b/c/inner.txt").parent
    for start, depth in ((walled.paths.workspace, 3), (inner, 6), (inner, 12)):
        where = f"{quote(str(start))}/{up * depth}"
        for end in ("outside/secret.txt", f"{quote(str(walled.outside).lstrip('/'))}/secret.txt"):
            walled.refused(await walled.ask(f"path={where}{end}".encode("latin-1")), *REFUSALS)
    await walled.answers()


async def test_a_path_that_is_not_absolute_leads_nowhere(rig: Rig) -> None:
    rig.put("notes.txt")
    for path in (
        "pyproject.toml",
        "./pyproject.toml",
        "notes.txt",
        "../pyproject.toml",
        "tests",
        ".",
        "..",
        "~root/.bashrc",
        "$HOME/x",
    ):
        answer = await rig.get(path)
        if path == "notes.txt" and answer.status_code == 200:
            assert answer.content == b"public"  # taken as the workspace's
        else:
            rig.refused(answer, *REFUSALS)


async def test_absolute_paths_lead_out_in_no_spelling(walled: Rig) -> None:
    secret = str(walled.hide())
    walled.hide(folder=walled.user.with_name("user-evil"))
    spelled = [
        secret,
        f"/{secret}",
        f"//{secret}",
        f"/.{secret}",
        f"/../..{secret}",
        f"file://{secret}",
        f"file:{secret}",
    ]
    spelled += [
        f"C:{secret}",
        f"\\\\?\\{secret}",
        f" {secret}",
        f"{secret} ",
        f"{secret}/",
        f"{secret}/.",
        f"{secret}//",
    ]
    spelled += [secret.replace("/", "\\"), f"{walled.paths.workspace}{secret}", f"{walled.paths.workspace}:{secret}"]
    spelled += [
        f"/proc/self/root{secret}",
        f"/proc/1/root{secret}",
        f"/proc/self/cwd/../../../../../..{secret}",
        "/etc/shadow",
    ]
    for path in spelled:
        walled.refused(await walled.get(path), *REFUSALS)
    for name in ("user-evil", "user/../user-evil", "user-evil/../outside"):
        walled.refused(await walled.get(f"{walled.user.parent}/{name}/secret.txt"), 403)


async def test_a_folder_whose_name_begins_like_the_workspace_is_another(rigs: dict[str, Rig]) -> None:
    rig = rigs["workspace"]
    for name in ("workspace-evil", "workspace ", "workspace\\", "workspac"):
        rig.refused(await rig.get(rig.hide(folder=rig.paths.home / name)), 403)


async def test_of_two_paths_none_leads_out(walled: Rig) -> None:
    inside, secret = str(walled.put("inside.txt")), str(walled.hide())
    for query in (
        [("path", inside), ("path", secret)],
        [("path", secret), ("path", inside)],
        [("path", inside), ("Path", secret)],
    ):
        answer = await walled.get(query)
        assert SECRET not in answer.content
        if answer.status_code != 200:
            walled.refused(answer, 400, 403, 422)
    for query in ([("path[]", secret)], [("path[0]", secret)], [(" path", secret)], [("pa\0th", secret)]):
        walled.refused(await walled.get(query), 400)


# --- links on disk ----------------------------------------------------------------------------------------------------


async def test_a_symlink_out_of_the_root_is_forbidden(walled: Rig) -> None:
    workspace, secret = walled.paths.workspace, walled.hide()
    links = {
        "to the file": secret,
        "to the folder": walled.outside,
        "relative": Path(os.path.relpath(secret, workspace)),
        "to everything": Path("/"),
        "to the parents": Path("../../.."),
        "to nothing": walled.outside / "missing",
    }
    for name, target in links.items():
        (workspace / name).symlink_to(target)
    (workspace / "in two steps").symlink_to("to the file")
    for path in ("to the file", "to the folder/secret.txt", "relative", "in two steps"):
        walled.refused(await walled.get(workspace / path), 403)
    walled.refused(await walled.get(workspace / "to the parents/outside/secret.txt"), 403)
    walled.refused(await walled.get(f"{workspace}/to everything{secret}"), 403)
    walled.refused(await walled.get(workspace / "to nothing"), 403, 404)


async def test_a_symlink_to_itself_has_an_end(rig: Rig) -> None:
    workspace = rig.paths.workspace
    (workspace / "itself").symlink_to("itself")
    (workspace / "ping").symlink_to("pong")
    (workspace / "pong").symlink_to("ping")
    (workspace / "deeper").symlink_to(".")
    for path in ("itself", "ping", "itself/x", "ping/../pong"):
        rig.refused(await rig.get(f"{workspace}/{path}"), 403, 404)
    rig.put("end.txt")
    for steps in (1, 30, 300):
        answer = await rig.get(f"{workspace}/{'deeper/' * steps}end.txt")
        assert answer.status_code in (200, *REFUSALS)
        if answer.status_code != 200:
            rig.refused(answer, *REFUSALS)


EXCHANGE = """
import ctypes, os, sys
here, there = map(os.fsencode, sys.argv[1:])
exchange = getattr(ctypes.CDLL(None), "renameat2", None)
at_cwd, both = -100, 2
if exchange is None or exchange(at_cwd, here, at_cwd, there, both):
    def exchange(*_):
        os.rename(here, here + b".away"), os.rename(there, here), os.rename(here + b".away", there)
print("begun", flush=True)
for turn in range(30_000_000):
    exchange(at_cwd, here, at_cwd, there, both)
    if turn % 1000 == 0 and os.getppid() == 1:
        break
"""
"""Two names change places as fast as a system can do it, atomically where it can."""


@contextmanager
def swapping(here: Path, there: Path) -> Iterator[None]:
    """While inside, a process of its own lets the two change places without end."""
    swapper = subprocess.Popen([sys.executable, "-c", EXCHANGE, str(here), str(there)], stdout=subprocess.PIPE)
    with swapper:
        try:
            assert swapper.stdout
            assert swapper.stdout.readline() == b"begun\n"
            yield
            assert swapper.poll() is None, "nothing was swapped any more"
        finally:
            swapper.kill()


async def hammered(ask: Callable[[], Awaitable[httpx.Response]], rounds: int = ROUNDS) -> None:
    """Many requests, four at a time, of which none may be told the secret."""

    async def some() -> None:
        for _ in range(rounds // 4):
            answer = await ask()
            assert answer.status_code in (200, 403, 404)
            assert SECRET not in answer.content
            assert answer.headers.get("Content-Length") != str(len(SECRET))
            if answer.status_code == 200:
                assert answer.content in (b"public", b"")
            elif answer.content:
                assert_refused(answer, 403, 404)

    await asyncio.gather(*(some() for _ in range(4)))


def public_and_link(rig: Rig, name: str, target: Path) -> tuple[Path, Path]:
    """A file, and beside it a symlink."""
    link = rig.paths.workspace / f"{name} link"
    link.symlink_to(target)
    return rig.put(name), link


async def test_a_symlink_swapped_between_check_and_open_lets_nothing_out(walled: Rig) -> None:
    file, link = public_and_link(walled, "swapped", walled.hide())
    with swapping(file, link):
        await hammered(lambda: walled.get(file))
        await hammered(lambda: walled.get(file, method="HEAD"), 60)
    await walled.answers()


async def test_a_folder_swapped_between_check_and_open_lets_nothing_out(walled: Rig) -> None:
    secret = walled.hide("file.txt", folder=walled.outside / "swap")
    inside = walled.put("honest/file.txt").parent
    link = walled.paths.workspace / "honest link"
    link.symlink_to(secret.parent)
    with swapping(inside, link):
        await hammered(lambda: walled.get(inside / "file.txt"))
    await walled.answers()


async def test_a_symlink_that_changes_where_it_leads_lets_nothing_out(walled: Rig) -> None:
    secret = walled.hide("file.txt", folder=walled.outside / "swap")
    inside, outside = walled.paths.workspace / "leads inside", walled.paths.workspace / "leads outside"
    inside.symlink_to(walled.put("led to/file.txt").parent)
    outside.symlink_to(secret.parent)
    with swapping(inside, outside):
        await hammered(lambda: walled.get(inside / "file.txt"))


async def test_a_symlink_swapped_for_something_private_lets_nothing_out(rig: Rig) -> None:
    file, link = public_and_link(rig, "swapped for private", rig.hide("private", folder=rig.paths.run_dir))
    with swapping(file, link):
        await hammered(lambda: rig.get(file))


async def test_a_link_whose_file_is_swapped_lets_nothing_out(walled: Rig) -> None:
    file, link = public_and_link(walled, "swapped by link", walled.hide())
    url = (await walled.link(file))["url"]
    with swapping(file, link):
        await hammered(lambda: walled.follow(url))


async def test_a_file_swapped_for_a_pipe_does_not_hang(walled: Rig) -> None:
    file, pipe = walled.put("swapped for a pipe"), walled.paths.workspace / "swapped pipe"
    os.mkfifo(pipe)
    with swapping(file, pipe):
        await hammered(lambda: walled.get(file))


async def test_a_hard_link_to_something_private_lets_nothing_out(rig: Rig) -> None:
    for number, private in enumerate((rig.paths.config_file, rig.paths.identity_key, rig.paths.database)):
        hard = rig.paths.workspace / f"hard {number}"
        hard.hardlink_to(private)
        try:
            rig.refused(await rig.get(hard), 403, 404)
            rig.refused(await rig.link_answer({"path": str(hard)}), 403, 404)
        finally:
            hard.unlink()


# --- what is private --------------------------------------------------------------------------------------------------


def private_files(rig: Rig) -> list[Path]:
    made = [
        rig.hide("gateway.json", folder=rig.paths.run_dir),
        rig.hide("history", folder=rig.paths.chat_history.parent),
    ]
    made += [
        rig.hide("tls.key", folder=rig.paths.identity_key.parent),
        rig.hide("old.json", folder=rig.paths.config_file.parent),
    ]
    database = rig.paths.database
    beside = [database.with_name(database.name + suffix) for suffix in ("-wal", "-shm", "-journal")]
    return [*made, rig.paths.config_file, rig.paths.identity_key, database, *(file for file in beside if file.exists())]


async def test_what_is_private_is_forbidden_whatever_the_access(rig: Rig) -> None:
    files = private_files(rig)
    assert len(files) >= 7
    for private in files:
        for method in ("GET", "HEAD"):
            answer = await rig.get(private, method=method)
            assert answer.status_code == 403, private
        rig.refused(await rig.get(private), 403)
        rig.refused(await rig.get(private, range="bytes=0-0", if_none_match="*"), 403)
        rig.refused(await rig.link_answer({"path": str(private)}), 403)
        async with client(rig.gateway, rpc=True) as peer:
            status, body = await peer.request("GET", f"/files?path={quote(str(private))}")
            assert (status, set(body)) == (403, {"error", "code"})


async def test_what_is_private_is_forbidden_in_every_spelling(rig: Rig) -> None:
    home, workspace = rig.paths.home, rig.paths.workspace
    aliases = [rig.outside / "alias", workspace / "alias", rig.user / "alias"]
    for alias in aliases:
        alias.symlink_to(home)
    for private in private_files(rig):
        inner = private.relative_to(home)
        (workspace / "one").symlink_to(private)
        spelled = [f"{workspace}/../{inner}", f"{home}//{inner}", f"{home}/./{inner}", f"{workspace}/./..//{inner}"]
        spelled += [f"{home}/run/../{inner}", f"/proc/self/root{private}", f"/proc/self/task/../root{private}"]
        spelled += [
            f"{workspace}/one",
            *(f"{alias}/{inner}" for alias in aliases),
            f"{private}/",
            f"{private}/.",
            f"/{private}",
        ]
        spelled += [
            str(private).upper(),
            f"{home}/{str(inner).upper()}",
            f"{private}\0",
            f"{private}\0.png",
            f"{private}%00",
            f"{private} ",
        ]
        for path in spelled:
            rig.refused(await rig.get(path), *REFUSALS)
        (workspace / "one").unlink()
    for folder in ("", "config", "keys", "run", "cli", "config/", "keys/."):
        rig.refused(await rig.get(f"{home}/{folder}"), 403, 404)


async def test_what_the_gateway_has_open_is_not_open_to_others(rig: Rig) -> None:
    shown = []
    for opened in Path("/proc/self/fd").iterdir():
        try:
            target = opened.readlink()
        except OSError:
            continue  # it was the listing's own
        if target.name.startswith(rig.paths.database.name) and rig.paths.home in target.parents:
            shown += [opened, Path("/dev/fd") / opened.name, Path(f"/proc/{os.getpid()}/fd/{opened.name}")]
    assert shown, "the database is open"
    for path in shown:
        rig.refused(await rig.get(path), 403, 404)


# --- what has no end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "device", ["zero", "null", "full", "random", "urandom", "stdin", "tty", "fd/0", "ptmx", "mem", "shm"]
)
async def test_a_device_is_not_read(rig: Rig, device: str) -> None:
    (rig.paths.workspace / "device").symlink_to(f"/dev/{device}")
    try:
        for path in (f"/dev/{device}", rig.paths.workspace / "device"):
            rig.refused(await rig.get(path), 403, 404)
            rig.refused(await rig.link_answer({"path": str(path)}), 403, 404)
    finally:
        (rig.paths.workspace / "device").unlink()


async def test_a_pipe_is_not_waited_for(rig: Rig) -> None:
    pipe = rig.paths.workspace / "pipe"
    os.mkfifo(pipe)
    (rig.paths.workspace / "to the pipe").symlink_to(pipe)
    answers = await asyncio.gather(*(rig.get(path) for path in [pipe, rig.paths.workspace / "to the pipe"] * 40))
    for answer in answers:
        rig.refused(answer, 404)
    rig.refused(await rig.link_answer({"path": str(pipe)}), 404)
    await rig.answers()


@pytest.mark.parametrize("name", ["environ", "cmdline", "maps", "mem", "auxv", "stat", "task/self/environ"])
async def test_the_gateways_own_process_is_not_shown(rig: Rig, name: str) -> None:
    for process in ("self", "thread-self", str(os.getpid()), f"self/task/{os.getpid()}"):
        answer = await rig.get(f"/proc/{process}/{name}")
        if answer.status_code == 200:
            assert answer.content == b""  # as long as it says it is
        else:
            rig.refused(answer, 403, 404)


async def test_the_kernels_files_do_no_harm(rig: Rig) -> None:
    paths = [
        "/proc/kmsg",
        "/proc/kcore",
        "/proc/sysrq-trigger",
        "/sys/kernel/debug",
        "/proc/self/pagemap",
        "/proc/1/environ",
    ]
    for path in (
        *paths,
        "/proc/self/root",
        "/proc/self/cwd",
        "/proc/self/exe/x",
        "/dev/pts/0",
        "/dev",
    ):
        answer = await rig.get(path, method="HEAD")
        assert answer.status_code in (200, 403, 404)
        if answer.status_code == 200:
            assert answer.headers["Content-Length"] == "0"


async def test_a_file_that_fits_in_no_frame_is_not_read_to_its_end(rigs: dict[str, Rig]) -> None:
    rig = rigs["workspace"]
    vast = rig.put("vast.json", b"")
    os.truncate(vast, 300_000_000_000)  # all of it a hole
    try:
        async with client(rig.gateway, rpc=True) as peer:
            status, body = await peer.request("GET", f"/files?path={quote(str(vast))}")
            assert (status in (413, 415), set(body)) == (True, {"error", "code"})
        assert (await rig.get(vast, range="bytes=-10")).content == bytes(10)
    finally:
        vast.unlink()


# --- names that are no names ------------------------------------------------------------------------------------------

CONTROLS = ["\0", "\r", "\n", "\r\n", "\t", "\x1b", "\x7f", "\x01", "\x85", "\u2028"]


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
async def test_a_control_character_in_a_path_is_refused(rig: Rig, control: str) -> None:
    workspace = rig.paths.workspace
    if control != "\0":
        rig.put(f"a{control}X-Evil: yes")
    for name in (f"a{control}X-Evil: yes", f"notes.txt{control}", f"{control}", f"notes.txt{control}.png"):
        answer = await rig.get(f"{workspace}/{name}")
        if control in "\x85\u2028" and answer.status_code == 200:
            assert disposition(answer)[1] == name  # strange, but no control character of ASCII
        else:
            rig.refused(answer, *REFUSALS, 422)
        assert "X-Evil" not in answer.headers
        refusal = await rig.link_answer({"path": f"{workspace}/{name}"})
        assert refusal.status_code in (*REFUSALS, 422) or control in "\x85\u2028"
    await rig.answers()


RAW = [
    b"%00",
    b"%ff",
    b"%ff%fe",
    b"%c3%28",
    b"%ed%a0%80",
    b"%ed%b2%80",
    b"%f4%90%80%80",
    b"\xff\xfe",
    b"\xc3\xbc",
    b"%",
    b"%zz",
    b"%u0041",
    b"+",
    b"\x80",
]


@pytest.mark.parametrize("raw", RAW, ids=quote_from_bytes)
async def test_bytes_that_are_no_text_are_no_name(rig: Rig, raw: bytes) -> None:
    where = quote(str(rig.paths.workspace)).encode()
    for query in (
        b"path=" + where + b"/" + raw,
        b"path=" + raw,
        raw,
        b"path=" + where + b"/" + raw + b".txt",
        raw + b"=x",
    ):
        rig.refused(await rig.ask(query), *REFUSALS, 422)


@pytest.mark.parametrize(
    "name",
    [
        "x" * 255,
        "x" * 256,
        "x" * 300,
        "ж" * 300,
        "x/" * 300 + "x",
        "x/" * 3000 + "x",
        "x" * 60_000,
        "/" * 60_000,
        "../" * 20_000,
        "\U0001f600" * 5000,
    ],
    ids=lambda name: f"{len(name)} of {name[:3]}",
)
async def test_a_name_that_is_too_long_is_no_file(rig: Rig, name: str) -> None:
    path = quote(f"{rig.paths.workspace}/{name}").encode()
    rig.refused(await rig.ask(b"path=" + path), *REFUSALS, 414, 431)
    rig.refused(await rig.link_answer({"path": f"{rig.paths.workspace}/{name}"}), *REFUSALS, 413, 422)
    await rig.answers()


TRICKS = [
    "\u202egpj.exe",
    "a\u2044b",
    "a\uff0fb",
    "e\u0301.txt",
    "\xe9.txt",
    "name.",
    "name ",
    "CON",
    "aux.txt",
    "-rf",
    "--help",
    ".hidden",
    "...",
    "\ufeffbom",
    "a\u200bb",
]
TRICKS += [
    "a\u0300" * 60,
    "\U000e0041tag",
    "\u0130.txt",
    "nul.png",
    "a\xa0b",
    "%2e%2e",
    "\u2025",
    "~",
    "$(id)",
    "`id`",
    "{{7*7}}",
    "%s%n",
    "<b>.txt",
]


@pytest.mark.parametrize("name", TRICKS, ids=ascii)
async def test_a_strange_name_is_only_a_name(rig: Rig, name: str) -> None:
    content = ascii(name).encode()
    answer = await rig.get(rig.put(f"strange/{name}", content))
    if answer.status_code == 200:
        assert answer.content == content
        assert disposition(answer)[1] == name
        if not name.endswith(".png"):
            assert_harmless(answer)
    else:
        rig.refused(answer, *REFUSALS)
    rig.refused(await rig.get(f"{rig.paths.workspace}/strange/{name}\u0301x"), *REFUSALS)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_no_query_brings_down_the_gateway_or_leads_out(rigs: dict[str, Rig], data: st.DataObject) -> None:
    rig = rigs["workspace"]
    piece = st.sampled_from(
        [
            "..",
            ".",
            "/",
            "//",
            "%2e",
            "%2f",
            "%00",
            "\\",
            "~",
            "outside",
            "secret.txt",
            "a",
            "%ff",
            ";",
            "&path=",
            "#",
            "?",
        ]
    )
    written = data.draw(st.lists(piece | st.text(st.characters(codec="utf-8"), max_size=3), max_size=12))
    query = quote(f"path={rig.paths.workspace}/{''.join(written)}", safe="/%&=?;~.")
    answer = await rig.ask(query.encode())
    if answer.status_code == 200:
        assert answer.content == b"public"
    else:
        rig.refused(answer, *REFUSALS, 422)


# --- what it is not ---------------------------------------------------------------------------------------------------

PAGE = b"<!doctype html><html><script>alert(document.domain)</script></html>"
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
LIES = {
    "page.png": PAGE,
    "page.jpg": PAGE,
    "page.gif": PAGE,
    "page.mp4": PAGE,
    "page.wav": PAGE,
    "page.webp": b"\n\n  " + PAGE,
    "drawing.png": DRAWING,
    "drawing.jpeg": b'<?xml version="1.0"?>' + DRAWING,
    "empty.png": b"",
}


@pytest.mark.parametrize("name", LIES)
async def test_a_page_that_says_it_is_a_picture_is_never_a_page(rig: Rig, name: str) -> None:
    answer = await rig.get(rig.put(name, LIES[name]))
    assert answer.content == LIES[name]
    if disposition(answer)[0] == "attachment":
        assert_harmless(answer)
    else:
        assert not re.search(r"html|xml|svg|script", answer.headers["Content-Type"])
        assert answer.headers.get("X-Content-Type-Options") == "nosniff", "a browser would look for itself"


MIXED = {
    "picture.html": picture() + PAGE,
    "picture.svg": picture() + DRAWING,
    "gif.js": b"GIF89a/*" + b"\0" * 10 + b"*/=1;alert(1)",
    "page.html.png": picture() + PAGE,
    "bitmap.htm": b"BM" + PAGE,
    "sound.html": b"ID3\x03\0\0\0\0\0\0" + PAGE,
}


@pytest.mark.parametrize("name", MIXED)
async def test_a_picture_that_is_a_page_too_is_never_a_page(rig: Rig, name: str) -> None:
    answer = await rig.get(rig.put(name, MIXED[name]))
    assert answer.status_code == 200
    if disposition(answer)[0] == "inline":
        assert re.match(r"(image|audio|video)/(?!svg)", answer.headers["Content-Type"])
        assert answer.headers.get("X-Content-Type-Options") == "nosniff"
    else:
        assert_harmless(answer)


@pytest.mark.parametrize(
    "name", ["drawing.svg", "drawing.SVG", "drawing.svgz", "drawing.xml", "drawing", "drawing.svg.txt"]
)
async def test_a_drawing_with_a_script_cannot_run_it(rig: Rig, name: str) -> None:
    for content in (
        DRAWING,
        b'<?xml version="1.0"?>' + DRAWING,
        b"\xef\xbb\xbf" + DRAWING,
        DRAWING.decode().encode("utf-16"),
    ):
        drawn = rig.put(name, content)
        for answer in (await rig.get(drawn), await rig.follow((await rig.link(drawn))["url"])):
            assert answer.content == content
            assert_harmless(answer)


# --- pieces without number --------------------------------------------------------------------------------------------

MANY = {
    "a million pieces": b"bytes=" + b",".join([b"0-0"] * 1_000_000),
    "a million ends": b"bytes=" + b"-1," * 1_000_000,
    "a million commas": b"bytes=" + b"," * 1_000_000,
    "a million digits": b"bytes=" + b"9" * 1_000_000 + b"-",
    "a million blanks": b"bytes=" + b" " * 1_000_000 + b"0-1",
    "ten thousand pieces": b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 20_000, 2)),
    "a thousand times all": b"bytes=" + b",".join([b"0-"] * 1000),
    "a thousand that overlap": b"bytes=" + b",".join(b"%d-" % n for n in range(1000)),
    "a thousand nested": b"bytes=" + b",".join(b"%d-%d" % (n, 90_000 - n) for n in range(1000)),
    "a thousand backwards": b"bytes=" + b",".join(b"%d-%d" % (n, n + 50) for n in range(1000, 0, -1)),
}


@pytest.mark.parametrize("name", MANY)
async def test_many_pieces_cost_little(rigs: dict[str, Rig], name: str) -> None:
    rig, content = rigs["workspace"], bytes(range(256)) * 400
    file, began = rig.put("pieces.bin", content), time.monotonic()
    answer = await rig.ask(b"path=" + quote(str(file)).encode(), b"Range: " + MANY[name])
    assert time.monotonic() - began < 3
    if answer.status_code in (200, 206):
        assert len(answer.content) < 2 * len(content) + 1000
        if answer.status_code == 200:
            assert answer.content == content
    else:
        rig.refused(answer, 400, 413, 416, 431)
    await rig.answers()


HUGE = [
    "0-99999999999999999999999999",
    "99999999999999999999999999-",
    "-99999999999999999999999999",
    "18446744073709551616-18446744073709551617",
]
HUGE += [
    "9223372036854775807-",
    "0-9223372036854775807",
    "0-18446744073709551615",
    "-9223372036854775808",
    "0-" + "9" * 5000,
    "9" * 5000 + "-",
    "-" + "9" * 5000,
]
HUGE += [
    "00000000000000000000000000000-00000000000000000000000000001",
    "0" * 5000 + "-1",
    "-0",
    "0--1",
    "1-0",
    "-1-2",
    "NaN-",
    "1e400-",
]


@pytest.mark.parametrize("pieces", HUGE, ids=lambda pieces: pieces[:50])
async def test_huge_numbers_are_numbers(rigs: dict[str, Rig], pieces: str) -> None:
    rig, content = rigs["workspace"], b"0123456789" * 10
    answer = await rig.get(rig.put("huge.txt", content), range=f"bytes={pieces}")
    if answer.status_code in (200, 206):
        assert answer.content in content
    else:
        rig.refused(answer, 400, 416)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    value=st.text(st.sampled_from("bytes=0123456789-, \t"), max_size=40).map(lambda text: f"bytes={text}")
    | st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30),
)
async def test_any_range_gives_a_piece_of_the_file_or_a_refusal(rigs: dict[str, Rig], value: str) -> None:
    rig, content = rigs["workspace"], string.ascii_letters.encode()
    file = rig.paths.workspace / "any range.txt"
    if not file.exists():
        rig.put(file.name, content)
    answer = await rig.ask(b"path=" + quote(str(file)).encode(), b"Range: " + value.strip().encode("latin-1"))
    if answer.status_code == 200:
        assert answer.content == content
    elif answer.status_code == 206 and not answer.headers["Content-Type"].startswith("multipart/"):
        found = re.fullmatch(r"bytes (\d+)-(\d+)/52", answer.headers["Content-Range"])
        assert found
        assert answer.content == content[int(found[1]) : int(found[2]) + 1] != b""
    elif answer.status_code != 206:
        rig.refused(answer, 400, 416)


@pytest.mark.parametrize(
    "header",
    ["If-None-Match", "If-Range", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "Range", "Accept-Encoding"],
)
async def test_other_headers_may_be_anything(rigs: dict[str, Rig], header: str) -> None:
    rig = rigs["workspace"]
    file = rig.put("headers.txt")
    for value in (
        b"x" * 50_000,
        b'"' * 50_000,
        b'W/"' * 20_000,
        b"\xff\xfe",
        b'"\xff"',
        b",",
        b"Thu, 99 Foo 9999999 99:99:99 GMT",
        b"Thu, 01 Jan 99999 00:00:00 GMT",
        b"",
        b"0",
    ):
        answer = await rig.ask(
            b"path=" + quote(str(file)).encode(), header.encode() + b": " + value, b"Range: bytes=0-1"
        )
        assert answer.status_code in (200, 206, 304, 400, 412, 416, 431), (value[:20], answer.status_code)
        if answer.status_code >= 400:
            rig.refused(answer, answer.status_code)


# --- forged links -----------------------------------------------------------------------------------------------------


OTHER = b"what no link was asked for"


async def forged(rig: Rig, url: str, *, shown: bytes | None = None) -> None:
    """A link that nobody was given opens nothing; or, if it only is another spelling of one, what it opened before."""
    answer = await rig.follow(url)
    assert SECRET not in answer.content
    assert OTHER not in answer.content
    if shown is None or answer.status_code != 200:
        assert_refused(answer, 401, *REFUSALS, 405, 410, 422)
    else:
        assert answer.content == shown


async def test_a_link_that_was_changed_anywhere_opens_nothing_else(rigs: dict[str, Rig]) -> None:
    rig = rigs["workspace"]
    rig.put("linked.txu", OTHER)
    url = (await rig.link(rig.put("linked.txt")))["url"]
    start = len(url) - len(urlsplit(url)._replace(scheme="", netloc="").geturl())
    opened = 0
    for place in range(start + 1, len(url)):
        for other in {"A", "0", "/", chr(ord(url[place]) ^ 1)} - {url[place], "%", "#"}:
            changed = url[:place] + other + url[place + 1 :]
            if changed.isprintable() and not changed[start:].startswith("//"):
                answer = await rig.follow(changed)
                opened += answer.status_code == 200
                if answer.status_code == 200:
                    assert answer.content == b"public"
                else:
                    assert_refused(answer, 401, *REFUSALS, 405, 410, 422)
    assert opened <= 6, "changes that mean nothing are few"


async def test_a_link_cannot_be_turned_to_another_path(rig: Rig) -> None:
    linked, other = rig.put("linked.txt"), rig.put("another.txt", OTHER)
    url = (await rig.link(linked))["url"]
    link_of_other = (await rig.link(other))["url"]
    for path in (other, rig.hide(), rig.paths.config_file):
        for form in (quote(str(path)), quote(str(path), safe="")):
            for changed in (
                url.replace(quote(str(linked)), form).replace(quote(str(linked), safe=""), form),
                f"{url}&path={form}",
                f"{url}?path={form}",
                f"{url}/{form}",
                url.replace("?", f"?path={form}&", 1),
            ):
                if changed != url:
                    await forged(rig, changed, shown=b"public")
            if query := urlsplit(url).query:
                mine = "&".join(one for one in query.split("&") if not one.startswith("path="))
                await forged(rig, f"/files?path={form}&{mine}")
        answer = await rig.stranger.get(
            "/files", params={"path": str(path), "link": url, "token": url.rpartition("/")[2]}
        )
        assert_refused(answer, 401, 403, 404)
    assert (await rig.follow(link_of_other)).content == OTHER


async def test_the_end_of_a_link_cannot_be_put_off(rigs: dict[str, Rig]) -> None:
    rig = rigs["workspace"]
    link = await rig.link(rig.put("linked.txt"))
    url, expiry = link["url"], str(int(link["expires_at"]))
    for found in re.finditer(r"\d{10,}(\.\d+)?", url):
        if abs(float(found[0]) - link["expires_at"]) < 5 or found[0].startswith(expiry[:8]):
            for later in (
                str(int(float(found[0])) + 60),
                str(int(float(found[0])) - 60),
                "9999999999",
                f"{found[0]}0",
                "inf",
                "nan",
                "-1",
                "",
                "1e99",
            ):
                await forged(rig, url[: found.start()] + later + url[found.end() :])
    for name in ("expires", "expires_at", "expiry", "exp", "e"):
        await forged(rig, f"{url}{'&' if '?' in url else '?'}{name}=9999999999", shown=b"public")


async def test_a_link_that_was_never_given_opens_nothing(rigs: dict[str, Rig]) -> None:
    rig = rigs["workspace"]
    url = (await rig.link(rig.put("linked.txt")))["url"]
    place = max(url.rfind("/"), url.rfind("="), url.rfind("?")) + 1
    garbled = [
        "",
        "x",
        "A" * 43,
        "A" * 10_000,
        "%00",
        "%ff%fe",
        "..",
        "../../files",
        "null",
        "*",
        "0",
        "\u00fc",
        "%F0%9F%98%80",
        "=" * 50,
        ".",
        "a.b",
        "a.b.c",
    ]
    for end in (*garbled, url[place:][::-1], url[place:-1], url[place:].swapcase(), url[place:] * 2):
        await forged(rig, url[:place] + end)
    for cut in range(1, len(url) - place, 5):
        await forged(rig, url[:-cut])


async def test_a_link_is_for_reading_only(rigs: dict[str, Rig]) -> None:
    rig = rigs["workspace"]
    url = rig.absolute((await rig.link(rig.put("linked.txt")))["url"])
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert_refused(await rig.stranger.request(method, url), 401, 403, 404, 405)
    assert_refused(await rig.stranger.get(f"/api/status?{urlsplit(url).query}"), 401)
