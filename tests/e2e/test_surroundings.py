"""Browsers and ways to the gateway that give less: it is said what is missing, and nothing is lost or given away."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person
from tests.e2e.rig import TOKEN, Certificate, GatewayProcess, Watch
from tests.e2e.test_files import chip, hand_over

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_over_tls_another_machine_has_everything(
    serve: Serve, person_at: NewPerson, certificate: Certificate
) -> None:
    gateway = await serve(SYGEN_API__TLS_CERT=str(certificate.cert), SYGEN_API__TLS_KEY=str(certificate.key))
    person = await person_at(gateway, f"https://home.example:{gateway.port}")
    await person.come()
    await person.ask("SAY behind TLS", "behind TLS")
    assert await person.page.evaluate("() => isSecureContext")
    await hand_over(person.page, "paste", "notes.txt", b"notes", "text/plain")
    await expect(chip(person, "notes.txt").get_by_role("button", name="Remove notes.txt")).to_be_visible()
    await person.page.goto("about:blank")
    await person.page.goto(person.url)  # without the link: the token was kept
    await expect(person.last).to_contain_text("behind TLS")


async def test_over_plain_http_it_is_said_what_is_missing(
    person_at: NewPerson, gateway: GatewayProcess, watch: Watch
) -> None:
    person = await person_at(gateway, f"http://home.example:{gateway.port}")
    await person.come_to_new_chat()
    assert not await person.page.evaluate("() => isSecureContext")
    await person.ask("SAY encrypted all the same", "encrypted all the same")
    await person.button("Speak").click()
    await expect(
        person.page.get_by_role("status").filter(has_text=re.compile("TLS|https", re.IGNORECASE))
    ).to_be_visible()

    await hand_over(person.page, "paste", "secrets.txt", b"notes", "text/plain")
    question = person.page.get_by_role("alert").filter(has_text="The way to this gateway is not encrypted by TLS.")
    await expect(question).to_be_visible()
    assert not list((gateway.home / "workspace").rglob("*secrets.txt"))
    await question.get_by_role("button", name="The way is private: go on").click()
    await expect(chip(person, "secrets.txt").get_by_role("button", name="Remove secrets.txt")).to_be_visible()


async def test_without_a_microphone_it_is_said_how_to_get_one(person: Person) -> None:
    await person.come()
    await person.button("Speak").click()
    said = person.page.get_by_role("alert").filter(has_text=re.compile("microphone", re.IGNORECASE))
    await expect(said).to_be_visible()
    await said.get_by_role("button", name="Close").click()
    await expect(person.composer).to_be_visible()


_A_DISK_THAT_FILLS_UP = """
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...given) {
        if (sessionStorage.getItem("disk") === "full") throw new DOMException("no space", "QuotaExceededError");
        return put.apply(this, given);
    };
"""


async def test_a_full_storage_is_told_and_the_words_stay(person: Person) -> None:
    await person.page.add_init_script(_A_DISK_THAT_FILLS_UP)
    await person.come_to_new_chat()
    await person.page.evaluate("() => sessionStorage.setItem('disk', 'full')")
    await person.composer.fill("half a thought")
    trouble = person.page.get_by_role("alert").filter(has_text="This browser’s storage is full.")
    await expect(trouble).to_be_visible()
    await person.ask("SAY sent all the same", "sent all the same")
    await person.page.evaluate("() => sessionStorage.setItem('disk', 'emptied')")
    await person.ask("SAY once more", "once more")
    await person.composer.fill("kept again")
    await expect(trouble).to_be_hidden()
    await person.page.reload()
    await expect(person.composer).to_have_value("kept again")


async def test_the_token_is_kept_under_a_key_that_no_script_reads(person: Person) -> None:
    await person.come_to_new_chat()
    kept = await person.all_that_is_kept()
    assert person.url in kept
    assert "key that cannot be read out" in kept
    assert TOKEN not in kept
    assert json.dumps(TOKEN)[1:-1] not in kept
    assert TOKEN.encode().decode("latin1") not in kept
    await person.page.goto("about:blank")
    await person.page.goto(person.url)
    await person.is_connected()


async def test_a_page_without_storage_works_as_long_as_it_is_open(person: Person) -> None:
    await person.page.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
    await person.come()
    await person.ask("SAY without a memory", "without a memory")
