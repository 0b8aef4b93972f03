"""Bad networks, gateways that crash, and gateways that are not what they seem: nothing is lost, doubled or believed."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

import pytest
from nacl.public import PrivateKey
from playwright.async_api import expect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as impostor

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import press
from tests.e2e.rig import TOKEN, GatewayProcess, Watch
from tests.fakes.fault_proxy import FaultProxy

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOST = "The connection was lost. It comes back by itself, and nothing that you wrote is lost."
GONE = re.compile("The gateway does not answer. Is it running")


def slow_words(count: int) -> str:
    """All that `SLOW` says."""
    return " ".join(f"w{number}" for number in range(count))


async def said_by_people(gateway: GatewayProcess, chat: str) -> list[str]:
    """What the gateway has kept of a chat, of the person's words."""
    page = await gateway.api("GET", f"/api/chat/sessions/{chat}/messages")
    return [message["content"] for message in page["messages"] if message["sender"] == "user"]


async def test_a_network_that_goes_and_comes_in_the_midst_of_an_answer(
    person_at: NewPerson, gateway: GatewayProcess, watch: Watch
) -> None:
    watch.expect_lost_connections()
    async with FaultProxy(gateway.port) as network:
        person = await person_at(gateway, f"http://127.0.0.1:{network.port}")
        chat = await person.come_to_new_chat()
        await person.say("SLOW 120 0.03")
        await expect(person.last).to_contain_text("w0 w1 w2")
        await network.shut()
        status = person.page.get_by_role("status")
        await expect(status.filter(has_text=LOST).or_(status.filter(has_text=GONE)).first).to_be_visible()
        await expect(person.page.get_by_text("What you send goes as soon as the gateway is there.")).to_be_visible()
        await person.say("SAY sent while away")
        await expect(person.last).to_contain_text("Not sent yet")
        network.open()
        await press(person.button("Try now"))
        await expect(person.turn("SLOW")).to_contain_text(slow_words(120))
        await expect(person.turn("SLOW").get_by_text("w0 w1 w2")).to_have_count(1)
        await expect(person.last).to_contain_text("sent while away")
        await person.is_answered()
        await expect(person.turns).to_have_count(2)
        assert await said_by_people(gateway, chat) == ["SLOW 120 0.03", "SAY sent while away"]


async def test_a_network_that_drops_again_and_again(
    person_at: NewPerson, gateway: GatewayProcess, watch: Watch
) -> None:
    watch.expect_lost_connections()
    async with FaultProxy(gateway.port, seed=7, most_bytes=6000, most_cuts=8) as network:
        person = await person_at(gateway, f"http://127.0.0.1:{network.port}")
        chat = await person.come_to_new_chat()
        network.go_wild()
        for number in range(3):
            await person.say(f"SLOW {60 + number} 0.03")
        for number in range(3):
            await expect(person.turn(f"SLOW {60 + number}")).to_contain_text(slow_words(60 + number), timeout=40_000)
        await expect(person.turns).to_have_count(3)
        for number in range(3):
            await expect(person.turn(f"SLOW {60 + number}").get_by_text("w0 w1 w2")).to_have_count(1)
        assert network.cuts > 0
        assert await said_by_people(gateway, chat) == [f"SLOW {60 + number} 0.03" for number in range(3)]


async def test_a_gateway_that_crashes_in_the_midst_of_an_answer(
    serve: Serve, person_at: NewPerson, watch: Watch
) -> None:
    watch.expect_lost_connections()
    gateway = await serve()
    person = await person_at(gateway)
    chat = await person.come_to_new_chat()
    await person.ask("SAY before", "before")
    await person.say("SLOW 600 0.05")
    await expect(person.last).to_contain_text(slow_words(60))  # the gateway has kept the first of them by now
    await gateway.kill()
    await expect(person.page.get_by_role("status").filter(has_text=GONE)).to_be_visible()
    await person.say("SAY after the crash")
    await expect(person.last).to_contain_text("Not sent yet")
    await gateway.start()
    await press(person.button("Try now"))
    await expect(person.last).to_contain_text("after the crash")
    await person.is_answered()
    await expect(person.turn("SLOW")).to_contain_text("The gateway stopped in the middle of this answer.")
    await expect(person.turn("SLOW")).to_contain_text("w0 w1 w2")
    await expect(person.turns).to_have_count(3)
    assert await said_by_people(gateway, chat) == ["SAY before", "SLOW 600 0.05", "SAY after the crash"]
    await expect(person.page.get_by_role("status").filter(has_text=GONE)).to_be_hidden()


async def test_what_is_not_sent_yet_is_taken_back(serve: Serve, person_at: NewPerson, watch: Watch) -> None:
    watch.expect_lost_connections()
    gateway = await serve()
    person = await person_at(gateway)
    chat = await person.come_to_new_chat()
    await gateway.kill()
    await expect(person.page.get_by_text("What you send goes as soon as the gateway is there.")).to_be_visible()
    await person.say("SAY too early")
    await person.last.get_by_role("button", name="Take back").click()
    await expect(person.composer).to_have_value("SAY too early")
    await expect(person.turns).to_have_count(0)
    await gateway.start()
    await person.is_connected()
    assert await said_by_people(gateway, chat) == []


async def test_a_changed_frame_is_not_believed_and_the_answer_comes_all_the_same(
    person_at: NewPerson, gateway: GatewayProcess, watch: Watch
) -> None:
    watch.expect_lost_connections()
    async with FaultProxy(gateway.port) as network:
        person = await person_at(gateway, f"http://127.0.0.1:{network.port}")
        await person.come_to_new_chat()
        await person.say("SLOW 100 0.03")
        await expect(person.last).to_contain_text("w0 w1 w2")
        async with person.page.expect_websocket():  # it begins anew
            network.alter()
        await expect(person.last).to_contain_text(slow_words(100))
        await person.is_answered()
        await expect(person.last.get_by_text("w0 w1 w2")).to_have_count(1)


async def test_a_wrong_token_is_told_and_the_right_link_helps(person_at: NewPerson, gateway: GatewayProcess) -> None:
    person = await person_at(gateway)
    await person.page.goto(f"{gateway.url}/#token=wrong")
    refusal = person.page.get_by_role("status").filter(has_text="The gateway does not accept this token")
    await expect(refusal).to_be_visible()
    await expect(refusal.get_by_role("link", name="Gateways")).to_be_visible()
    await person.page.goto("about:blank")
    await person.come()
    await person.is_connected()
    await expect(refusal).to_be_hidden()


async def test_who_takes_the_place_of_a_gateway_is_not_believed(
    serve: Serve, person_at: NewPerson, watch: Watch
) -> None:
    """It does not get the token either."""
    watch.expect_lost_connections()
    watch.expect(r"\b426\b")  # whoever asks the impostor for a file is told to open a WebSocket
    gateway = await serve()
    secret = (gateway.home / "keys/identity.key").read_bytes()
    identity = base64.b64encode(bytes(PrivateKey(secret).public_key)).decode()
    person = await person_at(gateway)
    await person.page.goto(f"{person.link}&server={quote(identity)}")
    await person.is_connected()
    await gateway.kill()

    frames: list[str] = []

    async def answer(socket: ServerConnection) -> None:
        frames.append(str(await socket.recv()))
        key = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()
        await socket.send(json.dumps({"type": "auth_ok", "e2e_pk": key, "proof": key}))
        await socket.wait_closed()

    async with impostor(answer, "127.0.0.1", gateway.port):
        told = "Who answers at this address is not the gateway you know: it cannot prove its identity."
        await expect(person.page.get_by_role("status").filter(has_text=told)).to_be_visible()
    assert frames
    assert not [frame for frame in frames if TOKEN in frame]
