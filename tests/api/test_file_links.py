"""A link to a file has its end."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from starlette.requests import Request

from sygen_bot.api.context import TokenGate
from sygen_bot.api.file_links import LIFETIME_S, FileLinks


def asked(url: str) -> Request:
    parts = urlsplit(url)
    return Request({"type": "http", "path": parts.path, "query_string": parts.query.encode(), "headers": []})


@pytest.mark.parametrize(("after_s", "opens"), [(0, True), (LIFETIME_S - 1, True), (LIFETIME_S, False), (10**9, False)])
def test_a_link_opens_for_ten_minutes(after_s: float, opens: bool) -> None:
    now = [1_000_000.0]
    links = FileLinks(TokenGate("secret"), clock=lambda: now[0])
    url, expires_at = links.make("/home/ada/a file?&=%00é.png")
    assert expires_at == now[0] + LIFETIME_S == now[0] + 600
    now[0] += after_s
    assert links.opens(asked(url)) == opens


def test_a_new_token_ends_every_link() -> None:
    gate = TokenGate("secret")
    links = FileLinks(gate)
    url, _ = links.make("/a")
    assert links.opens(asked(url))
    gate.replace("another")
    assert not links.opens(asked(url))
