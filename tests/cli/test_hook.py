"""`sygen hook` against a running gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from tests.cli.command import run, run_each
from tests.cli.conftest import Served


def made(served: Served, *arguments: str, given: str | None = None) -> dict[str, Any]:
    ended = run(served.home, "hook", "add", *arguments, "--json", given=given)
    assert (ended.returncode, ended.stderr) == (0, "")
    hook: dict[str, Any] = json.loads(ended.stdout)
    return hook


def shown(served: Served, hook_id: str) -> dict[str, Any]:
    hook: dict[str, Any] = json.loads(run(served.home, "hook", "show", hook_id, "--json").stdout)
    return hook


def test_a_new_hook_says_where_it_is_called_its_secret_and_what_to_enter_where(served: Served) -> None:
    commands = [
        ("hook", "add", "Shop", "--template", "SAY hi", "--auth", auth) for auth in ("bearer", "github", "stripe")
    ]
    bearer, github, stripe = (ended.stdout for ended in run_each(served.home, commands))
    for told in (bearer, github, stripe):
        lines = dict(line.split(maxsplit=1) for line in told.splitlines()[:3])
        assert lines["url"] == f"{served.url}/hooks/{lines['id']}"
        assert lines["secret"].endswith("(shown only now)")
        secret = lines["secret"].split()[0]
        assert len(secret) >= 43
        assert secret not in run(served.home, "hook", "show", lines["id"]).stdout
    assert "curl " in bearer
    assert "Payload URL" in github
    assert "hook secret" in stripe


def test_what_is_printed_for_a_bearer_hook_works_as_it_is(served: Served) -> None:
    hook = made(served, "Shop", "--template", "SAY got {{ text }}")
    headers = {"Authorization": f"Bearer {hook['secret']}", "X-Delivery-Id": "first"}
    answer = httpx.post(hook["url"], json={"text": "a call"}, headers=headers, timeout=20, trust_env=False)
    assert answer.status_code == 202
    receipt = answer.json()
    (delivery,) = shown(served, hook["id"])["deliveries"]
    assert (delivery["delivery_id"], delivery["run_id"]) == ("first", receipt["run_id"])
    told = run(served.home, "hook", "show", hook["id"]).stdout
    assert "SAY got {{ text }}" in told
    assert f"first  run {receipt['run_id']}" in told


def test_a_sample_is_delivered_and_a_run_waited_for(served: Served, tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text('{"n": 42}')
    for auth in ("bearer", "github", "stripe"):
        hook = made(served, "Shop", "--template", "SAY got {{ n }}", "--auth", auth)
        tested, ran = run_each(
            served.home, [("hook", "test", hook["id"]), ("hook", "run", hook["id"], "--payload", str(payload))]
        )
        assert (tested.returncode, tested.stderr) == (0, "")
        assert tested.stdout.startswith("delivered as test-")
        assert (ran.returncode, ran.stdout) == (0, "got 42\n")
    ended = run(served.home, "hook", "run", hook["id"], "--payload", "-", "--json", given='{"n": "ä"}')
    assert json.loads(ended.stdout)["answer"] == "got ä"


def test_a_run_that_fails_is_told_and_exits_with_1(served: Served) -> None:
    hook = made(served, "Shop", "--template", "FAIL on purpose")
    ended = run(served.home, "hook", "run", hook["id"])
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("failed: ")


def test_a_template_may_come_from_a_file_or_standard_input(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "template.txt"
    file.write_text("SAY one\nSAY {{ two }}\n")
    hook = made(served, "Shop", "--template-file", str(file), "--chat", "5", "--channel", "6")
    assert hook["template"] == file.read_text()
    assert (hook["mode"], hook["chat_id"], hook["channel_id"]) == ("chat", 5, 6)
    assert made(served, "Shop", "--template-file", "-", given="SAY x")["template"] == "SAY x"


def test_only_what_is_named_is_edited(served: Served) -> None:
    hook = made(served, "Shop", "--template", "SAY x", "--provider", "scripted")
    ended = run(served.home, "hook", "edit", hook["id"], "--title", "New", "--disable")
    assert (ended.returncode, ended.stdout) == (0, f"{hook['id']}  New: changed\n")
    now = shown(served, hook["id"])
    assert (now["title"], now["enabled"], now["template"], now["provider"]) == ("New", False, "SAY x", "scripted")
    run(served.home, "hook", "edit", hook["id"], "--chat", "9", "--provider", "")
    now = shown(served, hook["id"])
    assert (now["mode"], now["chat_id"], now["provider"], now["enabled"]) == ("chat", 9, None, False)
    run(served.home, "hook", "edit", hook["id"], "--on-its-own", "--enable")
    now = shown(served, hook["id"])
    assert (now["mode"], now["chat_id"], now["enabled"]) == ("task", None, True)
    assert f"{hook['id']}  on   bearer  its own session   New\n" in run(served.home, "hook", "list").stdout
    assert hook["id"] in [one["id"] for one in json.loads(run(served.home, "hook", "list", "--json").stdout)]


def test_a_secret_is_replaced_by_a_given_or_a_new_one(served: Served) -> None:
    hook = made(served, "Shop", "--template", "SAY x", "--auth", "stripe")
    given = run(served.home, "hook", "secret", hook["id"], "--secret", "-", given="whsec_from_the_dashboard\n")
    assert given.stdout == "whsec_from_the_dashboard\n"
    assert len(run(served.home, "hook", "secret", hook["id"]).stdout.strip()) >= 43


def test_a_removed_hook_is_gone(served: Served) -> None:
    hook = made(served, "Shop", "--template", "SAY x")
    assert run(served.home, "hook", "remove", hook["id"]).stdout == "Removed.\n"
    commands = [("hook", name, hook["id"]) for name in ("show", "remove", "test", "run", "secret")]
    for ended in run_each(served.home, commands):
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)


def test_what_is_wrong_is_one_clear_line(served: Served, tmp_path: Path) -> None:
    hook = made(served, "Shop", "--template", "SAY x")
    wrong = (
        (1, ("add", "Shop", "--template", "one\n{{ a|nothing }}")),
        (1, ("add", "Shop", "--template", "x", "--secret", "short")),
        (1, ("add", "Shop", "--template", "x", "--agent", "nobody")),
        (1, ("edit", hook["id"], "--template", "{% if %}")),
        (1, ("add", "Shop", "--template-file", str(tmp_path / "missing"))),
        (1, ("show", "../../status")),
    )
    for (code, command), ended in zip(
        wrong, run_each(served.home, [("hook", *command) for _, command in wrong]), strict=True
    ):
        assert (command, ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (command, code, "", 1)
    misused = (
        ("add", "Shop"),
        ("add", "Shop", "--template", "x", "--template-file", "y"),
        ("add", "Shop", "--template", "x", "--auth", "none"),
        ("edit", hook["id"]),
    )
    for ended in run_each(served.home, [("hook", *command) for command in misused]):
        assert (ended.returncode, ended.stdout) == (2, "")
    for payload in ("{", "[1]", "[" * 100_000):
        ended = run(served.home, "hook", "test", hook["id"], "--payload", "-", given=payload)
        assert (ended.returncode, ended.stdout) == (2, "")


def test_without_a_gateway_there_is_one_clear_line(home: Path) -> None:
    ended = run(home, "hook", "list")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (4, "", 1)
