"""A real browser, a real gateway, and people at the page. What a page must not do fails the test in which it does it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.e2e.people import PATIENCE_MS, Person
from tests.e2e.rig import FLAGS, Certificate, GatewayProcess, Watch, built_page, chromium, closed, make_certificate

Launch = Callable[..., Awaitable[Browser]]
NewPerson = Callable[..., Awaitable[Person]]


@pytest.fixture(scope="session")
def page_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return built_page(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """The browser trusts it."""
    return await make_certificate(tmp_path_factory.mktemp("tls"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def launch(certificate: Certificate) -> AsyncIterator[Launch]:
    """Starts a browser, with more flags than ours where that is wanted."""
    executable = chromium()
    trust = f"--ignore-certificate-errors-spki-list={certificate.fingerprint}"
    async with async_playwright() as playwright:

        async def start(*flags: str) -> Browser:
            return await playwright.chromium.launch(executable_path=executable, args=[*FLAGS, trust, *flags])

        yield start


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(launch: Launch) -> AsyncIterator[Browser]:
    """One for all tests of this process; each has a context of its own."""
    running = await launch()
    yield running
    await running.close()


class Serve(Protocol):
    """Starts a gateway of the test's own. Named settings are environment variables."""

    async def __call__(self, **settings: str) -> GatewayProcess: ...


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_gateway(
    tmp_path_factory: pytest.TempPathFactory, page_directory: Path
) -> AsyncIterator[GatewayProcess]:
    async with GatewayProcess(tmp_path_factory.mktemp("shared") / "home", page_directory) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(shared_gateway: GatewayProcess) -> AsyncIterator[GatewayProcess]:
    """One for all tests of this process: each makes its own chats there, and leaves no question open."""
    yield shared_gateway
    for request in await shared_gateway.api("GET", "/api/approvals"):
        await shared_gateway.api("POST", f"/api/approvals/{request['id']}", {"decision": "deny"})


@pytest_asyncio.fixture(loop_scope="session")
async def serve(tmp_path: Path, page_directory: Path) -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:
        count = 0

        async def start(**settings: str) -> GatewayProcess:
            nonlocal count
            count += 1
            return await stack.enter_async_context(
                GatewayProcess(tmp_path / f"home{count}", page_directory, **settings)
            )

        yield start


@pytest.fixture
def watch() -> Watch:
    return Watch()


class OpenContext(Protocol):
    """A browser profile of its own. The options are those of Playwright's `new_context`."""

    async def __call__(self, browser: Browser | None = None, **options: Any) -> BrowserContext: ...


@pytest_asyncio.fixture(loop_scope="session")
async def open_context(browser: Browser, watch: Watch) -> AsyncIterator[OpenContext]:
    usual = browser
    contexts: list[BrowserContext] = []

    async def start(browser: Browser | None = None, **options: Any) -> BrowserContext:
        given = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options}
        context = await (browser or usual).new_context(**given)
        contexts.append(context)
        watch.follow(context)
        return context

    yield start
    for context in contexts:
        await closed(context)
    assert watch.unexpected() == []


@pytest_asyncio.fixture(loop_scope="session")
async def person_at(open_context: OpenContext, watch: Watch) -> NewPerson:
    """Somebody with a browser of their own, at a gateway (under another address, if one is given)."""

    async def come(gateway: GatewayProcess, url: str | None = None, **options: Any) -> Person:
        watch.allow_host(url or gateway.url)
        page = await (await open_context(**options)).new_page()
        page.set_default_timeout(PATIENCE_MS)
        return Person(page, gateway, url, has_touch=options.get("has_touch", False))

    return come


@pytest_asyncio.fixture(loop_scope="session")
async def person(person_at: NewPerson, gateway: GatewayProcess) -> Person:
    return await person_at(gateway)
