"""Uses of tools as ACP agents describe them: for people, for policies, and harmless only where that is certain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sygen_bot.providers.acp_permissions import CANCELLED, is_about_attachment, outcome
from sygen_bot.providers.acp_tools import ToolUse
from sygen_bot.providers.base import Attachment, Decision


def use(**fields: Any) -> ToolUse:
    return ToolUse.of({"toolCallId": "t", **fields})


def text(said: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": said}}


@pytest.mark.parametrize(
    ("fields", "name", "given"),
    [
        ({"kind": "execute", "title": "ls -l"}, "Bash", {"command": "ls -l"}),
        (
            {"kind": "execute", "title": "ls", "content": [text("[current working directory /w] (look\naround)")]},
            "Bash",
            {"command": "ls", "description": "look\naround"},
        ),
        (
            {"kind": "execute", "title": "ls", "content": [text("[in sub] (look around) [background]")]},
            "Bash",
            {"command": "ls", "details": "[in sub] (look around) [background]"},
        ),
        (
            {"kind": "execute", "title": "ls", "content": [text("[current working directory /w] (a) [background]")]},
            "Bash",
            {"command": "ls", "details": "[current working directory /w] (a) [background]"},
        ),
        (
            {
                "kind": "edit",
                "title": "Writing",
                "content": [{"type": "diff", "path": "/w/a", "oldText": None, "newText": "x"}],
            },
            "Write",
            {"file_path": "/w/a", "old_text": "", "new_text": "x"},
        ),
        (
            {
                "kind": "edit",
                "title": "x",
                "content": [{"type": "diff", "path": "/w/a", "oldText": "y", "newText": "x"}],
            },
            "Edit",
            {"file_path": "/w/a", "old_text": "y", "new_text": "x"},
        ),
        ({"kind": "read", "title": "a", "locations": [{"path": "/w/a"}]}, "Read", {"file_path": "/w/a", "title": "a"}),
        ({"kind": "fetch", "title": "Fetch x"}, "Fetch", {"title": "Fetch x"}),
        ({"title": "search (github)", "rawInput": {"q": 1}}, "search (github)", {"q": 1}),
        ({"kind": "other", "title": "Read"}, "Tool", {"title": "Read"}),
        ({}, "Tool", {"title": ""}),
    ],
)
def test_a_use_has_a_name_and_an_input_for_people(fields: dict[str, Any], name: str, given: object) -> None:
    assert (use(**fields).name, use(**fields).input) == (name, given)


def test_whoever_decides_can_tell_two_tools_with_one_input_apart() -> None:
    uses = [use(kind="execute", title=title, rawInput={"id": 1}) for title in ("show", "delete")]
    assert [each.asked_input for each in uses] == [{"title": "show", "id": 1}, {"title": "delete", "id": 1}]
    assert use(kind="execute", title="x", rawInput={"command": "ls"}).asked_input == {"command": "ls"}


@pytest.mark.parametrize(
    ("kind", "paths", "is_read_only"),
    [
        ("read", ["a.txt"], True),
        ("search", ["."], True),
        ("read", ["a.txt", "/etc/passwd"], False),
        ("read", ["../x"], False),
        ("read", ["link/passwd"], False),
        ("read", ["nul\0"], False),
        ("read", [], False),
        ("search", [], False),
        ("execute", ["a.txt"], False),
        ("edit", ["a.txt"], False),
        ("fetch", ["a.txt"], False),
        ("reading", ["a.txt"], False),
    ],
)
def test_harmless_is_what_certainly_stays_in_the_workspace(
    tmp_path: Path, kind: str, paths: list[str], is_read_only: bool
) -> None:
    (tmp_path / "link").symlink_to("/etc")
    assert (
        use(kind=kind, title="x", locations=[{"path": path} for path in paths]).is_read_only(tmp_path) == is_read_only
    )


@pytest.mark.parametrize(
    ("kinds", "decision", "chosen"),
    [
        (("allow_always", "allow_once", "reject_once"), "allow", "allow_once"),
        (("allow_always", "reject_always", "reject_once"), "deny", "reject_once"),
        (("allow_always", "reject_once"), "allow", None),
        (("allow_once", "reject_always"), "deny", None),
        (("allow_once", "reject_once"), None, None),
    ],
)
def test_only_an_answer_for_once_is_given(
    kinds: tuple[str, ...], decision: Decision | None, chosen: str | None
) -> None:
    options = [{"optionId": kind, "name": kind, "kind": kind} for kind in kinds]
    answer, is_allowed = outcome(options, decision)
    assert answer == (CANCELLED if chosen is None else {"outcome": {"outcome": "selected", "optionId": chosen}})
    assert is_allowed == (chosen == "allow_once")


@pytest.mark.parametrize("options", [None, "x", [None, {"kind": "allow_once"}, {"optionId": 3, "kind": "allow_once"}]])
def test_options_that_are_none_give_no_permission(options: object) -> None:
    assert outcome(options, "allow") == (CANCELLED, False)


def test_only_reading_the_very_file_that_was_sent_is_about_it() -> None:
    sent = (Attachment(path=Path("/up/a b.txt"), mime="text/plain", name="a b.txt"),)
    title = "Allow access to absolute path: /up/a b.txt"
    assert is_about_attachment(use(kind="read", title=title, locations=[]), sent)
    assert is_about_attachment(use(kind="read", title="a", locations=[{"path": "/up/a b.txt"}]), sent)
    for other in (
        use(kind="execute", title=title),
        use(kind="read", title="Allow access to absolute path: /up/other"),
        use(kind="read", title=title, locations=[{"path": "/up/a b.txt"}, {"path": "/etc/passwd"}]),
        use(kind="read", title=title, rawInput={"command": "x"}),
    ):
        assert not is_about_attachment(other, sent)
    assert not is_about_attachment(use(kind="read", title=title), ())
