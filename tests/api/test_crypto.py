"""Encryption reproduces the published vectors and refuses what they say must be refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.api.crypto import E2ESession, InvalidKey, agree, decode_key
from sygen_bot.api.protocol import decode_client_message
from sygen_bot.errors import DecryptFailed, InvalidMessage

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "e2e-v1.json").read_text())
SERVER_SECRET, CLIENT_PUBLIC = base64.b64decode(VECTORS["server"]["sk"]), VECTORS["client"]["pk"]
SHARED = base64.b64decode(VECTORS["shared_key"])


def test_the_shared_key_is_that_of_the_vectors() -> None:
    assert agree(decode_key(CLIENT_PUBLIC), SERVER_SECRET) == SHARED


@pytest.mark.parametrize("frame", VECTORS["frames"], ids=range(len(VECTORS["frames"])))
def test_frames_are_made_and_opened_as_in_the_vectors(frame: dict[str, str]) -> None:
    session = E2ESession(role="server", shared_key=SHARED, nonces=lambda: base64.b64decode(frame["nonce"]))
    assert session.seal(frame["plaintext"].encode()).decode() == frame["frame"]
    assert session.open(frame["frame"]).decode() == frame["plaintext"]
    with pytest.raises(DecryptFailed):
        session.open(frame["frame"])  # a replay


@pytest.mark.parametrize("case", VECTORS["bad_frames"], ids=lambda case: case["why"])
def test_bad_frames_are_refused(case: dict[str, str]) -> None:
    expected = {"decrypt_failed": DecryptFailed, "invalid": InvalidMessage}[case["expect"]]
    with pytest.raises(expected):
        decode_client_message(E2ESession(role="server", shared_key=SHARED).open(case["frame"]))


@pytest.mark.parametrize("case", VECTORS["bad_keys"], ids=lambda case: f"{case['why']} {str(case['e2e_pk'])[:6]}")
def test_bad_keys_are_refused(case: dict[str, object]) -> None:
    with pytest.raises(InvalidKey):
        agree(decode_key(case["e2e_pk"]), SERVER_SECRET)


def test_a_reflected_frame_is_refused() -> None:
    session = E2ESession(role="server", shared_key=SHARED)
    with pytest.raises(DecryptFailed):
        session.open(session.seal(b"{}"))
