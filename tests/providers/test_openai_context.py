"""What an endpoint is given to read: the conversation within the model's context, and the files of a message."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.errors import ProviderFailed
from sygen_bot.providers.base import Attachment
from sygen_bot.providers.openai_attachments import MAX_IMAGE_BYTES, MAX_TEXT_BYTES
from tests.providers.openai_rig import Rig, openai_rig

LONG = "x" * 400  # a hundred tokens, about
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with openai_rig() as rig:
        yield rig


async def talk(rig: Rig, turns: int) -> None:
    for number in range(turns):
        await rig.say(f"SAY {number} {LONG}")


def sent_turns(rig: Rig) -> list[str]:
    """The beginning of each turn that the endpoint was sent."""
    return [text.split(maxsplit=2)[1] for role, text in rig.asked.messages if role == "user"]


async def test_the_oldest_turns_are_left_out_when_the_context_is_full_and_that_is_said(rig: Rig) -> None:
    await rig.restart(context_tokens=1200)
    await talk(rig, 4)
    assert (sent_turns(rig), rig.labels) == (["0", "1", "2", "3"], [])
    await rig.say(f"SAY 4 {LONG}", system_prompt="Be brief.")
    assert sent_turns(rig) == ["2", "3", "4"]
    assert rig.labels == ["2 earlier turns left out: the model's context is full", None]
    assert [role for role, _ in rig.asked.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    await rig.say("SAY 5")
    assert (sent_turns(rig), rig.labels) == (["2", "3", "4", "5"], []), "what is left out is forgotten"


@pytest.mark.parametrize(
    "fields",
    [
        {"max_model_len": 1200},
        {"meta": {"n_ctx_train": 1200}},
        {"meta": {"n_ctx": 1200, "n_ctx_train": 99_999}},
        {"max_context_length": 99_999, "loaded_context_length": 1200},
        {"context_length": 1200},
    ],
)
async def test_how_much_a_model_sees_is_what_the_endpoint_says(rig: Rig, fields: dict[str, Any]) -> None:
    rig.api.models = [{"id": "fake-large", **fields}]
    await talk(rig, 5)
    assert sent_turns(rig) == ["2", "3", "4"]


async def test_where_nobody_says_how_much_a_model_sees_it_is_8192_tokens(rig: Rig) -> None:
    await rig.say("SAY 0 " + "x" * 10_000)
    await rig.say("SAY 1")
    assert sent_turns(rig) == ["0", "1"]
    await rig.say("SAY 2 " + "y" * 8_000)
    assert sent_turns(rig) == ["1", "2"]


async def test_tokens_are_counted_as_the_endpoint_counts_them(rig: Rig) -> None:
    rig.api.token_factor = 3.0
    await rig.restart(context_tokens=2400)
    await talk(rig, 4)
    assert sent_turns(rig) == ["2", "3"]


async def test_what_a_short_message_counts_is_the_template_of_the_model_and_changes_nothing(rig: Rig) -> None:
    rig.api.token_factor = 30.0
    await rig.restart(context_tokens=1200)
    await rig.say("SAY a b c d")
    rig.api.token_factor = 1.0
    await rig.say("SAY 1 " + "x" * 3000)
    assert len(rig.asked.messages) == 3


async def test_a_refusal_for_length_cuts_to_half_and_asks_once_more(rig: Rig) -> None:
    rig.api.context_tokens, rig.api.says_context = 700, False
    await talk(rig, 4)
    assert (sent_turns(rig), len(rig.api.chats)) == (["2", "3"], 5)
    assert rig.labels == ["2 earlier turns left out: the model's context is full", None]
    assert rig.answer.startswith("3 ")


async def test_a_refusal_that_says_how_much_the_model_sees_cuts_to_that(rig: Rig) -> None:
    await talk(rig, 8)
    rig.api.context_tokens = 500
    await rig.say("SAY 8")
    assert (sent_turns(rig), len(rig.api.chats)) == (["7", "8"], 10)
    assert rig.labels == ["7 earlier turns left out: the model's context is full", None]


async def test_a_message_that_is_too_long_by_itself_is_an_error_and_is_not_remembered(rig: Rig) -> None:
    rig.api.context_tokens = 500
    await rig.say("SAY one")
    with pytest.raises(ProviderFailed, match=r"The message is too long for the model: fake-large sees 500 tokens"):
        await rig.say("SAY " + "x" * 4000)
    assert len(rig.api.chats) == 3
    await rig.say("SAY two")
    assert sent_turns(rig) == ["two"]


async def test_a_message_that_is_surely_too_long_is_not_even_sent(rig: Rig) -> None:
    rig.api.models = [{"id": "fake-large", "max_model_len": 500}]
    with pytest.raises(ProviderFailed, match="fake-large sees 500 tokens"):
        await rig.say("SAY " + "x" * 8000)
    assert rig.api.chats == []


async def test_an_image_is_shown_to_the_model_once_and_remembered_by_its_name(rig: Rig, tmp_path: Path) -> None:
    image = tmp_path / "cat.png"
    image.write_bytes(PNG)
    await rig.say("SAY a cat\nName: cat.png", attachments=(Attachment(path=image, mime="image/png", name="cat.png"),))
    assert rig.asked.images == ["data:image/png;base64," + base64.b64encode(PNG).decode()]
    await rig.say("SAY and now?")
    assert rig.asked.images == []
    assert "cat.png" in rig.asked.messages[0][1]
    assert "base64" not in (rig.token or "")


@pytest.mark.parametrize(
    "refusal",
    [(400, "fake-large is not a multimodal model"), (500, "image input is not supported"), (404, "no image endpoints")],
)
async def test_a_model_that_takes_no_images_is_asked_without_them(
    rig: Rig, tmp_path: Path, refusal: tuple[int, str]
) -> None:
    image = tmp_path / "cat.png"
    image.write_bytes(PNG)
    rig.api.refuses_images = refusal
    await rig.say("SAY a cat", attachments=(Attachment(path=image, mime="image/png", name="cat.png"),))
    assert (rig.answer, rig.asked.images, len(rig.api.chats)) == ("a cat", [], 2)
    assert rig.labels == ["the model takes no images: it gets their names only", None]


async def test_a_short_text_is_part_of_the_message_and_other_files_are_only_named(rig: Rig, tmp_path: Path) -> None:
    contents = {
        "note.md": ("text/markdown", "one\n```\ntwo ü\n```".encode()),
        "data.json": ("application/json", b'{"a": 1}'),
        "long.txt": ("text/plain", b"x" * (MAX_TEXT_BYTES + 1)),
        "latin.txt": ("text/plain", b"\xe4\xf6"),
        "zeros.bin": ("application/octet-stream", b"a\0b"),
        "paper.pdf": ("application/pdf", b"%PDF-1.4 all ascii"),
        "photo.tiff": ("image/tiff", b"II*\0"),
        "huge.png": ("image/png", PNG + bytes(MAX_IMAGE_BYTES)),
    }
    attachments = []
    for name, (mime, content) in contents.items():
        (tmp_path / name).write_bytes(content)
        attachments.append(Attachment(path=tmp_path / name, mime=mime, name=name))
    attachments.append(Attachment(path=tmp_path / "gone.txt", mime="text/plain", name="gone\n.txt"))
    os.mkfifo(tmp_path / "pipe")
    attachments.append(Attachment(path=tmp_path / "pipe", mime="text/plain", name="pipe"))
    await rig.say("SAY thanks", attachments=tuple(attachments))
    assert rig.asked.messages[-1][1] == (
        'SAY thanks\n\nnote.md:\n````\none\n```\ntwo ü\n```\n````\n\ndata.json:\n```\n{"a": 1}\n```'
    )
    assert rig.asked.images == []
    assert rig.labels == [
        *(f"the model gets only the name of {name}" for name in ("long.txt", "latin.txt", "zeros.bin", "paper.pdf")),
        "the model gets only the name of photo.tiff",
        "huge.png is too large: the model gets its name only",
        "gone .txt cannot be read any more",
        "pipe cannot be read any more",
        None,
    ]
    assert "one" not in (rig.token or "")
