"""Messages and what comes back: the events of a turn, the refusals, and which client hears what."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.events import Finished, ProviderEvent, Result, SystemStatus, TextDelta, ToolActivity
from sygen_bot.orchestrator.lifecycle import Gateway
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from tests.api.agents import Agent
from tests.api.bare import DEFAULT_CHAT, bare_server
from tests.api.conftest import Serve
from tests.api.wire import TOKEN, Event, client, results, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- a turn -----------------------------------------------------------------------------------------------------------


async def test_a_turn_streams_what_happens_in_order_and_ends_once(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        events = await peer.ask('STATUS thinking\nSAY one\nTHINK hm\nTOOL Read {"path": "x"}\nSTATUS\nSAY two')
        assert events == [
            {"type": "system_status", "data": "thinking"},
            {"type": "text_delta", "data": "one"},
            {"type": "tool_activity", "data": "Read"},
            {"type": "system_status", "data": None},
            *[{"type": "text_delta", "data": event["data"]} for event in events[4:-1]],
            {"type": "result", "text": "one\ntwo", "stream_fallback": False},
        ], "nothing of an extension, as this client asked for none"
        assert said(events) == "one\ntwo"
        assert await peer.quiet() == []


@pytest.mark.parametrize(
    "script", ["SLOW 5 0.01", "BURST 3000", "TICK 500", "SAY ünï 🚀 日本\nBURST 3\nSAY x", "hello"]
)
async def test_the_joined_deltas_are_the_text_of_the_result(gateway: Gateway, chat: int, script: str) -> None:
    async with client(gateway, chat_id=chat) as peer:
        events = await peer.ask(script)
        assert said(events) == events[-1]["text"] != ""
        assert events[-1]["stream_fallback"] is False
        assert all(event["data"] != "" for event in events if event["type"] == "text_delta")


async def test_what_an_agent_says_comes_as_it_is_said_unless_it_does_not_give_way(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        for script, fewest, most in (("TICK 1000", 1000, 1000), ("SLOW 20 0.01", 20, 20), ("BURST 3000", 2, 300)):
            deltas = [event["data"] for event in await peer.ask(script) if event["type"] == "text_delta"]
            assert fewest <= len(deltas) <= most, script


@pytest.mark.parametrize("word", ["🚀", "\x1f", "a"])
async def test_words_that_are_merged_stay_small_whatever_they_are(serve: Serve, word: str) -> None:
    said_before = TextDelta("first ")
    agent = Agent(said_before, *[TextDelta(word * 100)] * 1000, SystemStatus("done"), TextDelta(" last"))
    async with serve(providers=[agent]) as gateway, client(gateway) as peer:
        events = await peer.ask("hello")
        assert said(events) == events[-1]["text"] == f"first {word * 100_000} last"
        deltas = [event["data"] for event in events if event["type"] == "text_delta"]
        assert max(len(json.dumps(delta, ensure_ascii=False).encode()) for delta in deltas) <= 16 * 1024 + 2
        assert len(deltas) < 200
        assert [event["data"] for event in events if event["type"] == "system_status"] == ["done"]
        assert events[-2]["data"] == " last", "what comes between is not overtaken"


async def test_an_answer_that_could_not_be_streamed_is_in_the_result_alone(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        assert await peer.ask("NOSTREAM all at once") == [
            {"type": "result", "text": "all at once", "stream_fallback": True}
        ]


async def test_an_agent_that_says_nothing_ends_with_an_empty_text(serve: Serve) -> None:
    async with serve(providers=[Agent()]) as gateway, client(gateway) as peer:
        assert await peer.ask("hello") == [{"type": "result", "text": "", "stream_fallback": False}]


async def test_files_are_those_of_the_tags_in_order_and_once_each(gateway: Gateway, chat: int) -> None:
    tags = [
        "<file:/abs/chart.png>",
        "<file:/abs/notes.txt>",
        "<file:file:///abs/a%20b.JPG>",
        "<file:///abs/c.webp>",
        "<file:/abs/chart.png>",
        "<file:relative/path.png>",
        "<file:C:\\Users\\me\\pic.gif>",
        "<file:file:///C:/data/table.csv>",
    ]
    async with client(gateway, chat_id=chat) as peer:
        result = (await peer.ask("SAY " + " ".join(tags)))[-1]
        assert result["files"] == [
            {"path": "/abs/chart.png", "name": "chart.png", "is_image": True},
            {"path": "/abs/notes.txt", "name": "notes.txt", "is_image": False},
            {"path": "/abs/a b.JPG", "name": "a b.JPG", "is_image": True},
            {"path": "/abs/c.webp", "name": "c.webp", "is_image": True},
            {"path": "C:\\Users\\me\\pic.gif", "name": "pic.gif", "is_image": True},
            {"path": "C:/data/table.csv", "name": "table.csv", "is_image": False},
        ]
        unstreamed = (await peer.ask("NOSTREAM <file:/abs/chart.png>"))[-1]
        assert [file["name"] for file in unstreamed["files"]] == ["chart.png"]


@pytest.mark.parametrize(
    "tag", ["<file://[x>", "<file:file://[::1/x>", "<file:file://h\u2100/x>", "<file:>", "<file:/"]
)
async def test_a_tag_that_makes_no_sense_does_not_cost_the_answer(gateway: Gateway, chat: int, tag: str) -> None:
    async with client(gateway, chat_id=chat) as peer:
        result = (await peer.ask(f"SAY done, see {tag} and <file:/abs/x.png>"))[-1]
        assert result["type"] == "result", result
        assert result["text"] == f"done, see {tag} and <file:/abs/x.png>"


async def test_u_0000_becomes_u_fffd_in_what_clients_and_agents_say(serve: Serve) -> None:
    parts: list[ProviderEvent] = [TextDelta("a\0b"), SystemStatus("s\0"), ToolActivity("t\0"), TextDelta("\ud800c")]
    async with serve(providers=[Agent(*parts)]) as gateway, client(gateway) as peer:
        logged: list[LoggedEvent] = []
        (await gateway.orchestrator.open(SessionKey("api", 1, None))).log.subscribe(logged.append)
        events = await peer.ask("x\0y")
        assert [event.get("data", event.get("text")) for event in events] == [
            "a\ufffdb",
            "s\ufffd",
            "t\ufffd",
            "\ufffdc",
            "a\ufffdb\ufffdc",
        ]
        assert getattr(logged[0].event, "text", None) == "x\ufffdy"
    async with serve(providers=[Agent(Finished(text="a\0b"))]) as gateway, client(gateway) as peer:
        assert (await peer.ask("x"))[-1]["text"] == "a\ufffdb"


async def test_an_answer_over_its_limit_ends_the_turn_and_the_next_one_runs(serve: Serve) -> None:
    async with serve({"session.max_answer_bytes": 4000}) as gateway, client(gateway) as peer:
        events = await peer.ask("BURST 1000")
        assert events[-1]["aborted"] is True
        assert events[-1]["reason"] == "answer_too_large"
        assert said(events) == events[-1]["text"]
        assert 2000 < len(events[-1]["text"]) <= 4000
        unstreamed = (await peer.ask("NOSTREAM " + "x" * 5000))[-1]
        assert (unstreamed["aborted"], unstreamed["reason"]) == (True, "answer_too_large")
        assert (await peer.ask("SAY fine"))[-1] == {"type": "result", "text": "fine", "stream_fallback": False}


async def test_an_agent_that_fails_is_an_internal_error_without_its_words(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        events = await peer.ask(f"SAY half\nFAIL /etc/passwd {TOKEN} Traceback (most recent call last)")
        assert events[-1] == {"type": "error", "code": "internal_error", "message": events[-1]["message"]}
        for secret in ("/", "passwd", TOKEN, "Traceback", "RuntimeError", ".py"):
            assert secret not in events[-1]["message"]
        assert (await peer.ask("SAY again"))[-1]["text"] == "again"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProviderUnavailable("It is not there \0 \ud800."), "provider_unavailable"),
        (ProviderFailed("It broke \0 \udfff."), "internal_error"),
        (ValueError("\ud800"), "internal_error"),
    ],
)
async def test_a_turn_ends_with_an_error_even_if_its_text_cannot_be_written(
    serve: Serve, error: Exception, code: str
) -> None:
    """Agents pass on what other programs say: their complaints may hold anything, too."""
    async with serve(providers=[Agent(TextDelta("x"), error)]) as gateway, client(gateway) as peer:
        last = (await peer.ask("hello"))[-1]
        assert (last["type"], last["code"]) == ("error", code)
        assert "\0" not in last["message"]


async def test_mistake_every_session_filed_under_the_wrong_transport_because_a_key_field_had_a_default(
    gateway: Gateway, chat: int
) -> None:
    async with client(gateway, chat_id=chat, channel_id=7) as peer, client(gateway, chat_id=chat) as other:
        assert f"api:{chat}:7" in (await peer.ask("/status"))[-1]["text"].split("\n")[0]
        assert (await other.ask("/status"))[-1]["text"].split("\n")[0].endswith(f"api:{chat}")
    for missing in (
        {"chat_id": 1, "topic_id": None},
        {"transport": "api", "topic_id": None},
        {"transport": "api", "chat_id": 1},
    ):
        with pytest.raises(TypeError):
            SessionKey(**missing)


# --- order and concurrency --------------------------------------------------------------------------------------------


async def test_mistake_awaiting_the_turn_in_the_read_loop(gateway: Gateway, chat: int) -> None:
    """Pings, refusals and further messages are handled while a turn runs."""
    async with client(gateway, chat_id=chat) as peer:
        await peer.say("SLOW 5000 0.01")
        await peer.until("text_delta")
        await peer.send(type="ping")
        await peer.until("pong")
        await peer.say(" ")
        assert (await peer.until("error"))[-1]["code"] == "empty"
        await peer.say("SAY queued")
        await peer.send(type="abort")
        events = await peer.until("abort_ok")
        assert events[-1]["killed"] == 2, "the second message was taken while the first ran"


async def test_turns_of_one_session_run_one_at_a_time_in_order_whoever_sent_them(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as one, client(gateway, chat_id=chat) as other:
        logged: list[LoggedEvent] = []
        (await gateway.orchestrator.open(SessionKey("api", chat, None))).log.subscribe(logged.append)
        await one.say("SLOW 10 0.01\nECHO_HISTORY")
        await one.say("ECHO_HISTORY")
        await one.until("text_delta")
        await other.say("ECHO_HISTORY")
        mine, theirs = await one.until_ends(2), await other.until_ends(1)
        texts = [event["text"].split("\n")[-1] for event in results(mine) + results(theirs)]
        assert texts == ["I remember 0 turns.", "I remember 1 turns.", "I remember 2 turns."]
        spoke = [event.turn_id for event in logged if isinstance(event.event, TextDelta | Result)]
        assert spoke == sorted(spoke, key=spoke.index), "no turn speaks while another does"


async def test_two_sessions_run_at_once(gateway: Gateway, chat: int) -> None:
    async with (
        client(gateway, chat_id=chat, channel_id=1) as slow,
        client(gateway, chat_id=chat, channel_id=2) as quick,
    ):
        await slow.say("SLOW 5000 0.01")
        await slow.until("text_delta")
        for number in range(3):
            assert said(await quick.ask(f"SAY {number}")) == str(number)
        await slow.send(type="abort", scope="channel")
        assert (await slow.until("abort_ok"))[-1]["killed"] == 1


async def test_a_client_hears_the_events_of_its_own_turns_only(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as one, client(gateway, chat_id=chat) as other:
        await one.ask("SAY for me")
        assert await other.quiet() == []
        assert said(await other.ask("SAY for you")) == "for you"
        assert await one.quiet() == []


async def test_mistake_a_finished_answer_thrown_away_because_the_client_had_gone(gateway: Gateway, chat: int) -> None:
    """Nor is other work of its chat stopped: the turn goes on to its end, and the session remembers it."""
    logged: list[LoggedEvent] = []
    (await gateway.orchestrator.open(SessionKey("api", chat, 1))).log.subscribe(logged.append)
    async with client(gateway, chat_id=chat, channel_id=2) as stays:
        async with client(gateway, chat_id=chat, channel_id=1) as leaves:
            await stays.say("SLOW 40 0.01")
            await leaves.say("SLOW 20 0.01")
            await leaves.say("SAY queued")
            await leaves.until("text_delta")
            leaves.socket.transport.abort()  # no closing handshake: the cable is pulled
        events = await stays.until("result")
        assert "aborted" not in events[-1]
        assert events[-1]["text"].split() == [f"w{number}" for number in range(40)]
    async with client(gateway, chat_id=chat, channel_id=1) as comes_back:
        assert said(await comes_back.ask("ECHO_HISTORY")) == "I remember 2 turns."
    ends = [event.event for event in logged if isinstance(event.event, Result)]
    assert [end.aborted for end in ends] == [False] * 3
    assert ends[0].text.split() == [f"w{number}" for number in range(20)]
    assert ends[1].text == "queued"


async def test_a_turn_without_a_listener_is_seen_running_and_then_gone(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.say("SLOW 5000 0.01")
        await peer.until("text_delta")
    async with httpx.AsyncClient(base_url=gateway.url, headers={b"Authorization": f"Bearer {TOKEN}".encode()}) as http:
        assert (await http.get("/api/status")).json()["turns_running"] == 1
        async with client(gateway, chat_id=chat) as other:
            await other.send(type="abort")
            assert await other.receive() == {"type": "abort_ok", "killed": 1}
        assert (await http.get("/api/status")).json()["turns_running"] == 0


async def test_frames_over_64_kib_keep_their_place(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        words = [letter * 100_000 for letter in "abc"]
        script = "\n".join(line for word in words for line in (f"SAY {word}", "TOOL Read {}", "SAY small"))
        await peer.say(script)
        await peer.send(type="ping")
        events = await peer.until("result")
        assert said(events) == events[-1]["text"] == "\n".join(f"{word}\nsmall" for word in words)
        kinds = [event["data"][:2] if event["type"] == "text_delta" else event["type"] for event in events]
        assert kinds.count("tool_activity") == 3
        first_tool = kinds.index("tool_activity")
        assert "".join(kinds[:first_tool]).replace("pong", "").startswith("aa")
        assert "bb" not in "".join(kinds[:first_tool])


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Event, str]] = {
    "no text": ({"type": "message"}, "invalid"),
    "text is null": ({"type": "message", "text": None}, "invalid"),
    "text is a number": ({"type": "message", "text": 7}, "invalid"),
    "text is a list": ({"type": "message", "text": ["SAY x"]}, "invalid"),
    "text is an object": ({"type": "message", "text": {"text": "x"}}, "invalid"),
    "text is true": ({"type": "message", "text": True}, "invalid"),
    "scope is unknown": ({"type": "abort", "scope": "world"}, "invalid"),
    "scope is empty": ({"type": "abort", "scope": ""}, "invalid"),
    "scope is a number": ({"type": "abort", "scope": 1}, "invalid"),
    "scope is a list": ({"type": "abort", "scope": ["channel"]}, "invalid"),
    "scope is false": ({"type": "abort", "scope": False}, "invalid"),
    "empty": ({"type": "message", "text": ""}, "empty"),
    "spaces": ({"type": "message", "text": "   "}, "empty"),
    "all kinds of white space": ({"type": "message", "text": " \t\r\n\v\f\u00a0\u2003\u3000"}, "empty"),
    "no type": ({}, "unknown_type"),
    "type is null": ({"type": None}, "unknown_type"),
    "type is empty": ({"type": ""}, "unknown_type"),
    "type is a number": ({"type": 1}, "unknown_type"),
    "type is a list": ({"type": ["ping"]}, "unknown_type"),
    "type is an object": ({"type": {"ping": 1}}, "unknown_type"),
    "type in capitals": ({"type": "PING"}, "unknown_type"),
    "a second auth": ({"type": "auth", "token": TOKEN}, "unknown_type"),
    "an event of ours": ({"type": "result", "text": "x"}, "unknown_type"),
}


async def test_a_refused_message_gets_its_code_and_its_id_back(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        for name, (message, code) in REFUSED.items():
            for message_id in ("m1", "x" * 64, "ключ 🔑"):
                answer = await peer.refusal(peer.seal(message | {"id": message_id}))
                assert (name, answer["code"], answer.get("id")) == (name, code, message_id)
            bare = await peer.refusal(peer.seal(message))
            assert (name, bare["code"]) == (name, code)
            assert bare.get("id") is None
            assert set(bare) == {"type", "code", "message"}
        assert await peer.quiet() == []


@pytest.mark.parametrize("wrong", [7, True, ["m1"], {}, "x" * 65], ids=repr)
async def test_a_wrong_id_makes_the_message_invalid(gateway: Gateway, chat: int, wrong: object) -> None:
    async with client(gateway, chat_id=chat) as peer:
        answer = await peer.refusal(peer.seal({"type": "message", "text": "SAY no", "id": wrong}))
        assert answer["code"] == "invalid"
        assert await peer.quiet() == []


async def test_unknown_fields_of_a_message_are_passed_over(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.say("SAY fine", future={"a": [1]}, scope=7)
        assert said(await peer.until("result")) == "fine"
        await peer.send(type="ping", text=7, scope=7)
        assert await peer.receive() == {"type": "pong"}


async def test_beyond_the_queue_limit_a_message_is_refused_and_the_turns_are_left_alone(serve: Serve) -> None:
    async with (
        serve({"api.queue_limit": 2}) as gateway,
        client(gateway) as peer,
        client(gateway, channel_id=9) as other,
    ):
        await peer.say("SLOW 30 0.01")
        await peer.say("SAY second")
        answer = await peer.refusal(peer.seal({"type": "message", "text": "SAY third", "id": "m3"}))
        while answer["type"] == "text_delta":
            answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("busy", "m3")
        assert said(await other.ask("SAY elsewhere")) == "elsewhere", "the limit is one of each session"
        texts = [event["text"] for event in results(await peer.until_ends(2))]
        assert texts[0].split() == [f"w{number}" for number in range(30)]
        assert texts[1] == "second"
        assert await peer.quiet() == []
        assert said(await peer.ask("SAY room again")) == "room again"


async def test_a_refusal_in_the_middle_of_a_turn_changes_nothing_in_it(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.say("SLOW 20 0.01")
        await peer.until("text_delta")
        for frame in (peer.seal({"type": "x", "id": "a"}), "junk", peer.seal(b"[]"), peer.seal({"type": "message"})):
            await peer.socket.send(frame)
        events = await peer.until("result")
        assert [event["code"] for event in events if event["type"] == "error"] == [
            "unknown_type",
            "decrypt_failed",
            "invalid",
            "invalid",
        ]
        assert events[-1]["text"].split() == [f"w{number}" for number in range(20)]


async def test_a_server_without_a_message_handler_says_so_and_answers_the_rest(tmp_path: Path) -> None:
    async with bare_server() as at, client(at) as peer:
        assert peer.hello["chat_id"] == DEFAULT_CHAT
        assert (peer.hello["active_provider"], peer.hello["providers"]) == (None, [])
        answer = await peer.refusal(peer.seal({"type": "message", "text": "hello", "id": "m1"}))
        assert (answer["code"], answer["id"]) == ("no_handler", "m1")
        assert (await peer.refusal(peer.seal({"type": "message", "text": " "})))["code"] == "empty"
        assert (await peer.refusal(peer.seal({"type": "abort"})))["code"] == "no_handler"
        assert await peer.quiet() == []


async def test_mistake_an_approval_that_grants_for_everyone_without_anybody_noticing(
    gateway: Gateway, chat: int
) -> None:
    """What one client allows always is a rule for this very command, and everybody sees it."""
    async with (
        client(gateway, chat_id=chat, approvals=True, device="laptop") as one,
        client(gateway, chat_id=chat, approvals=True) as other,
    ):
        await one.say('ASK Bash {"command": "ls"}')
        request = (await one.until("approval_request"))[-1]
        await one.send(type="approval", id=request["id"], decision="allow_always")
        told = (await other.until("approval_resolved"))[-1]
        assert (told["decision"], told["by"]) == ("allow_always", "laptop")
        assert "`ls`" in (await other.ask("/approvals"))[-1]["text"]
        await other.say('ASK Bash {"command": "ls -a"}')
        request = (await other.until("approval_request"))[-1]
        await other.send(type="approval", id=request["id"], decision="deny")
        assert said(await other.until("result")) == "denied"
