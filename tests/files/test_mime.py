"""What a file is, by its bytes and by its name."""

from __future__ import annotations

import pytest

from sygen_bot.files.mime import kind_of, media_type

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


@pytest.mark.parametrize(
    ("head", "name", "mime"),
    [
        (PNG, "a.png", "image/png"),
        (PNG, "a.html", "image/png"),
        (b"<html>", "a.html", "text/html"),
        (b"<svg/>", "a.svg", "image/svg+xml"),
        (b"plain", "a.txt", "text/plain"),
        (b"plain", "a", "application/octet-stream"),
        (b"", "a.md", "text/markdown"),
        (b"BMW is a car", "a.txt", "text/plain"),
        (b"BM\x8a\x00\x00\x00\x00\x00\x00\x00\x8a", "a", "image/bmp"),
        (b"OggS" + bytes(32), "a.bin", "audio/ogg"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "voice", "audio/x-wav"),
        (b"{}", "a b?c#d.json", "application/json"),
        (b"x", "a.json.gz", "application/octet-stream"),
    ],
)
def test_bytes_come_before_the_name(head: bytes, name: str, mime: str) -> None:
    assert media_type(head, name) == mime


@pytest.mark.parametrize(
    ("mime", "kind"),
    [
        ("image/webp", "photo"),
        ("image/svg+xml", "document"),
        ("audio/ogg", "audio"),
        ("video/webm", "video"),
        ("text/html", "document"),
        ("application/pdf", "document"),
    ],
)
def test_a_picture_that_can_hold_a_program_is_a_document(mime: str, kind: str) -> None:
    assert kind_of(mime) == kind
