"""What endpoints say, as events: recorded streams of several servers, in pieces of any size."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sygen_bot.events import SystemStatus, TextDelta, ThinkingDelta, Usage
from sygen_bot.providers.openai_errors import NotAChat, Refused, retry_after_s
from sygen_bot.providers.openai_stream import MAX_LINE_BYTES, ChatReader, Said, ThoughtSplitter

OLLAMA = b"""\
data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"qwen3:4b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Hm"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"qwen3:4b","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"qwen3:4b","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"qwen3:4b","choices":[],"usage":{"prompt_tokens":26,"completion_tokens":8,"total_tokens":34}}

data: [DONE]

"""
OPENROUTER = b"""\
: OPENROUTER PROCESSING\r
\r
data: {"id":"gen-1","provider":"X","model":"a/b","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm"}]},"finish_reason":null,"native_finish_reason":null}]}\r
\r
data: {"id":"gen-1","provider":"X","model":"a/b","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":26,"completion_tokens":8,"cost":0.1}}\r
\r
data: [DONE]\r
"""
MISTRAL = b"""\
data: {"model":"magistral","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"Hi"}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":26,"completion_tokens":8}}
"""


def read(stream: bytes, sizes: list[int] | None = None) -> tuple[ChatReader, list[Said]]:
    """The reader and its events, of a stream in pieces of these sizes and the rest."""
    reader, events, start = ChatReader(), list[Said](), 0
    for size in sizes or []:
        events += reader.feed(stream[start : start + size])
        start += size
    events += reader.feed(stream[start:])
    return reader, [*events, *reader.end()]


def joined(events: list[Said]) -> tuple[str, str]:
    thoughts = "".join(event.data for event in events if isinstance(event, ThinkingDelta))
    return thoughts, "".join(event.data for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize(("stream", "thought"), [(OLLAMA, "Hm"), (OPENROUTER, "Hm"), (MISTRAL, "")])
@given(sizes=st.lists(st.integers(1, 200)))
def test_recorded_streams_are_understood_in_pieces_of_any_size(stream: bytes, thought: str, sizes: list[int]) -> None:
    reader, events = read(stream, sizes)
    assert joined(events) == (thought, "Hi")
    assert reader.usage == Usage(input_tokens=26, output_tokens=8)
    assert reader.is_whole
    assert reader.skipped == set()


@given(
    thought=st.text("<>/think ab", max_size=30).filter(lambda text: "</think>" not in text),
    text=st.text("<>/think ab", min_size=1, max_size=30).filter(lambda text: text == text.lstrip()),
    has_thought=st.booleans(),
    cuts=st.lists(st.integers(0, 80)),
)
def test_thoughts_are_taken_out_wherever_the_tags_are_cut(
    thought: str, text: str, has_thought: bool, cuts: list[int]
) -> None:
    if not has_thought and text.startswith("<think>"):
        return
    whole = f"\n<think>{thought}</think>\n\n{text}" if has_thought else text
    splitter, pieces, start = ThoughtSplitter(), list[tuple[bool, str]](), 0
    for cut in sorted(cuts):
        pieces += splitter.split(whole[start:cut])
        start = max(start, cut)
    pieces += [*splitter.split(whole[start:]), *splitter.end()]
    assert "".join(piece for is_thought, piece in pieces if not is_thought) == text
    assert "".join(piece for is_thought, piece in pieces if is_thought) == (thought.lstrip() if has_thought else "")
    assert "" not in [piece for _, piece in pieces]


def test_a_thought_that_does_not_end_is_a_thought() -> None:
    splitter = ThoughtSplitter()
    assert splitter.split("<think>all of it </thi") == [(True, "all of it ")]
    assert splitter.end() == [(True, "</thi")]


@settings(max_examples=50)
@given(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "content", "index", "usage", "tool_calls", "function", "name", "model"]
                ),
                x,
            )
        ),
    ),
)
def test_whatever_comes_is_passed_over(noise: bytes, document: object) -> None:
    stream = noise + b"\ndata: " + json.dumps(document).encode() + b"\n" + noise + b"\n" + MISTRAL
    reader = ChatReader()
    try:
        events = [*reader.feed(stream), *reader.end()]
    except Refused:
        return
    assert joined(events)[1].endswith("Hi")


def test_a_line_that_is_too_long_is_passed_over_and_not_kept() -> None:
    reader = ChatReader()
    piece = b"x" * 1_000_000
    assert list(reader.feed(b"data: ")) == []
    for _ in range(32):
        assert list(reader.feed(piece)) == []
    assert joined([*reader.feed(b"\n" + MISTRAL), *reader.end()]) == ("", "Hi")
    assert reader.skipped == {"a line that is too long"}
    with pytest.raises(NotAChat):
        list(reader.feed(piece * 40))
    assert MAX_LINE_BYTES < 32_000_000


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        (b'data: {"error":{"message":"no memory","type":"server_error","code":500}}', 500, "no memory"),
        (b'data: {"error":{"message":"no memory","code":"oom"},"choices":[]}', 0, "no memory"),
        (b'data: {"error":"no memory"}', 0, "no memory"),
        (b'error: {"code":500,"message":"no memory","type":"server_error"}', 500, "no memory"),
    ],
)
def test_an_error_in_the_stream_is_a_refusal(line: bytes, status: int, message: str) -> None:
    with pytest.raises(Refused) as raised:
        read(line + b"\n")
    assert (raised.value.status, raised.value.message) == (status, message)


@pytest.mark.parametrize(
    ("status", "error", "tokens"),
    [
        (
            400,
            {
                "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9011 tokens.",
                "code": "context_length_exceeded",
            },
            8192,
        ),
        (
            400,
            {
                "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4900 in the messages, 100 in the completion).",
                "type": "BadRequestError",
                "code": 400,
            },
            4096,
        ),
        (
            400,
            {
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 5000,
                "n_ctx": 4096,
                "code": 400,
            },
            4096,
        ),
        (
            0,
            "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough.",
            4096,
        ),
        (400, {"message": "Please reduce the length of the messages.", "code": "context_length_exceeded"}, None),
        (400, {"message": "prompt is too long: 208310 tokens > 200000 maximum"}, None),
        (
            400,
            {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."},
            None,
        ),
    ],
)
def test_a_full_context_is_recognised_as_several_servers_say_it(status: int, error: object, tokens: int | None) -> None:
    refused = Refused(status, error)
    assert refused.is_context_full
    assert refused.context_tokens == tokens


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "The context of your question is unclear"), (429, "Too many tokens per minute"), (401, "context length")],
)
def test_other_refusals_are_not_taken_for_a_full_context(status: int, message: str) -> None:
    assert not Refused(status, {"message": message}).is_context_full


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "20", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_server_names(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_labels_tell_of_thinking_and_of_tools() -> None:
    chunk = {
        "choices": [{"delta": {"tool_calls": [{"function": {"name": "rm\nall"}}, {"function": {"name": "ls"}}, 7]}}]
    }
    _, events = read(b"data: " + json.dumps(chunk).encode() + b"\n")
    assert events == [
        SystemStatus("asked for a tool, which it does not have here"),
        SystemStatus("asked for ls, which it does not have here"),
    ]
