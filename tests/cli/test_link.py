"""The link to the web page: printed, opened, and shown as a code; and never where it would be kept."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
import segno

from tests.cli.command import Terminal, run, serving

SERVE = ("serve", "--host", "127.0.0.1", "--port", "0", "--provider", "scripted")
PUBLIC = "https://box.tail1234.ts.net"
BLOCKS = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


@pytest.fixture
def page(tmp_path: Path) -> str:
    """The directory of a page."""
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").write_text("<!doctype html><title>the page</title>")
    return str(tmp_path / "page")


def token_of(home: Path) -> str:
    return str(json.loads((home / "config/config.json").read_text())["api"]["token"])


def code_in(shown: str) -> list[list[int]]:
    """The modules of the code that is shown, without what is white around it."""
    lines = [line.strip("\r\n")[2:] for line in shown.splitlines() if "▀" in line]
    rows = [[BLOCKS[block][half] for block in line] for line in lines for half in (0, 1)]
    rows = [row[2:-2] for row in rows]
    while not any(rows[0]):
        del rows[0]
    while not any(rows[-1]):
        del rows[-1]
    return rows


def code_of(text: str) -> list[list[int]]:
    return [[int(module) for module in row] for row in segno.make_qr(text, error="l").matrix]


# --- serve ------------------------------------------------------------------------------------------------------------


def test_a_terminal_gets_a_link_that_opens_the_gateway(home: Path, page: str) -> None:
    with Terminal(home, *SERVE, SYGEN_WEB__DIRECTORY=page) as terminal:
        terminal.expect("page      ")
        link = terminal.expect("\r\n")
        url, fragment = link.split("#")
        assert httpx.get(url).text.endswith("<title>the page</title>")
        named = parse_qs(fragment)
        assert named["token"] == [token_of(home)]
        assert not {"+", "/"} & set(fragment)
        assert fragment.count("=") == 2
        assert run(home.parent / "elsewhere", "ask", "hello", SYGEN_URL=link).stdout == "You said: hello\n"
        rest = terminal.expect("Ctrl-C stops")
        assert "tailscale serve" in rest
        assert "--host 0.0.0.0" in rest
        assert "▀" not in rest
        assert "elsewhere " not in rest


def test_whoever_can_be_reached_shows_a_code_for_a_phone(home: Path, page: str) -> None:
    own = {"SYGEN_WEB__DIRECTORY": page, "SYGEN_API__PUBLIC_URL": f"{PUBLIC}/"}
    with Terminal(home, *SERVE, **own) as terminal:
        terminal.expect("elsewhere ")
        link = terminal.expect("\r\n")
        assert link.startswith(f"{PUBLIC}/#token=")
        shown = terminal.expect("Ctrl-C stops")
        assert code_in(shown) == code_of(link)
        assert "tailscale serve" not in shown


def test_all_addresses_mean_that_of_the_network(home: Path, page: str) -> None:
    """Or none, on a machine that has no network."""
    own = {"SYGEN_WEB__DIRECTORY": page, "SYGEN_API__ALLOW_PUBLIC": "true"}
    with Terminal(home, "serve", "--host", "0.0.0.0", "--port", "0", "--provider", "scripted", **own) as terminal:
        terminal.expect("page      ")
        assert urlsplit(terminal.expect("\r\n")).hostname == "127.0.0.1"
        shown = terminal.expect("Ctrl-C stops")
    if "elsewhere " in shown:
        link = shown.partition("elsewhere ")[2].partition("\r\n")[0]
        assert urlsplit(link).hostname not in ("0.0.0.0", "127.0.0.1")
        assert code_in(shown) == code_of(link)
    else:
        assert "api.public_url" in shown


@pytest.mark.parametrize(
    "terminal_is", [{"COLUMNS": "40"}, {"LINES": "20"}, {"TERM": "dumb"}, {"LANG": "C", "PYTHONUTF8": "0"}]
)
def test_a_code_that_could_not_be_read_is_not_shown(home: Path, page: str, terminal_is: dict[str, str]) -> None:
    own = {"SYGEN_WEB__DIRECTORY": page, "SYGEN_API__PUBLIC_URL": PUBLIC, "PYTHONCOERCECLOCALE": "0", **terminal_is}
    with Terminal(home, *SERVE, **own) as terminal:
        terminal.expect("elsewhere ")
        shown = terminal.expect("Ctrl-C stops")
    assert not set("▀▄█?") & set(shown)


def test_without_the_page_the_terminal_says_how_to_get_it(home: Path, tmp_path: Path) -> None:
    own = {"SYGEN_WEB__DIRECTORY": str(tmp_path), "SYGEN_API__PUBLIC_URL": PUBLIC}
    with Terminal(home, *SERVE, **own) as terminal:
        terminal.expect("page      ")
        assert terminal.expect("\r\n") == f"The page is not in {tmp_path} (web.directory)."
        assert "▀" not in terminal.expect("Ctrl-C stops")


def test_a_page_that_is_switched_off_is_not_offered(home: Path, page: str) -> None:
    with Terminal(home, *SERVE, SYGEN_WEB__DIRECTORY=page, SYGEN_WEB__ENABLED="false") as terminal:
        assert "switched off" in terminal.expect("Ctrl-C stops")


def test_the_doctor_looks_for_the_page(home: Path, page: str, tmp_path: Path) -> None:
    for directory, state in ((page, "ok"), (str(tmp_path), "note")):
        findings = json.loads(run(home, "doctor", "--json", SYGEN_WEB__DIRECTORY=directory).stdout)
        (found,) = (finding for finding in findings if finding["name"] == "page")
        assert found["state"] == state
        assert directory in found["detail"]


def test_no_log_holds_the_link(home: Path, tmp_path: Path) -> None:
    with serving(home, SYGEN_WEB__DIRECTORY=str(tmp_path), SYGEN_API__PUBLIC_URL=PUBLIC) as (gateway, _url):
        code, out, err = gateway.end(signal.SIGTERM)
    assert (code, out) == (0, "")
    assert "no_page" in {json.loads(line)["event"] for line in err.splitlines()}
    assert token_of(home) not in err
    assert "#token" not in err


# --- link -------------------------------------------------------------------------------------------------------------


def test_the_running_gateway_is_linked_to_again(home: Path, page: str) -> None:
    with serving(home, SYGEN_WEB__DIRECTORY=page) as (_gateway, url):
        ended = run(home, "link", SYGEN_WEB__DIRECTORY=page)
        assert (ended.returncode, ended.stderr, len(ended.stdout.splitlines())) == (0, "", 1)
        link = ended.stdout.strip()
        assert link.startswith(f"{url}/#token={token_of(home)}&server=")
        assert run(home.parent / "elsewhere", "ask", "hello", SYGEN_URL=link).stdout == "You said: hello\n"
        both = run(home, "link", SYGEN_API__PUBLIC_URL=PUBLIC).stdout.splitlines()
        assert both == [link, link.replace(url, PUBLIC)]


def test_a_gateway_that_does_not_run_is_linked_to_by_its_configuration(home: Path) -> None:
    assert run(home, "api", "enable").returncode == 0
    run(home, "config", "set", "api.token", "a+b/c= d&e#f")
    ended = run(home, "link", SYGEN_API__HOST="127.0.0.1", SYGEN_API__PORT="9000")
    assert ended.returncode == 0
    url, _, fragment = ended.stdout.strip().partition("#")
    assert url == "http://127.0.0.1:9000/"
    assert unquote(fragment) == "token=a+b/c= d&e#f"
    assert fragment.count("=") == 1


def test_it_follows_where_the_running_gateway_listens_and_not_what_is_configured(home: Path) -> None:
    with serving(home) as (_gateway, url):
        ended = run(home, "link", SYGEN_API__HOST="192.0.2.9", SYGEN_API__PORT="9000")
        assert [line.partition("/#")[0] for line in ended.stdout.splitlines()] == [url]


def test_there_is_no_link_without_a_token_or_a_port(home: Path) -> None:
    ended = run(home, "link")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "no token" in ended.stderr
    run(home, "api", "enable")
    ended = run(home, "link", SYGEN_API__PORT="0")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "does not run" in ended.stderr


def test_a_code_is_for_others_and_for_terminals(home: Path) -> None:
    run(home, "api", "enable")
    ended = run(home, "link", "--qr", SYGEN_API__HOST="127.0.0.1")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "tailscale serve 8741" in ended.stderr
    ended = run(home, "link", "--qr", SYGEN_API__PUBLIC_URL=PUBLIC)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "terminal" in ended.stderr
    with Terminal(home, "link", "--qr", SYGEN_API__PUBLIC_URL=PUBLIC) as terminal:
        terminal.expect(f"{PUBLIC}/#token=")
        link = f"{PUBLIC}/#token=" + terminal.expect("\r\n")
        assert terminal.end() == 0
        assert code_in(terminal.seen) == code_of(link)
