"""The same API behind TLS, with a certificate made on the spot."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import serving
from tests.api.wire import address, client, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed (certificate, key) for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    process = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(cert)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )
    assert await process.wait() == 0
    return cert, key


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secure(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    cert, key = map(str, certificate)
    async with serving(
        tmp_path_factory.mktemp("secure") / "home", {"api.tls_cert": cert, "api.tls_key": key}
    ) as running:
        yield running


def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate[0])


async def test_a_turn_runs_over_wss(secure: Gateway, certificate: tuple[Path, Path]) -> None:
    assert secure.url.startswith("https://")
    async with client(secure, options={"ssl": trusting(certificate)}) as peer:
        assert said(await peer.ask("SAY behind TLS")) == "behind TLS"
        events = await peer.ask("BURST 20000")
        assert said(events) == events[-1]["text"]
        assert len(events[-1]["text"]) == 800_000
        await peer.say("x" * 300_000)
        assert (await peer.until("result"))[-1]["text"].endswith("xxx")


async def test_http_is_served_over_tls_as_well(secure: Gateway, certificate: tuple[Path, Path]) -> None:
    async with httpx.AsyncClient(base_url=secure.url, verify=trusting(certificate)) as http:
        assert (await http.get("/health")).json()["status"] == "ok"


async def test_nobody_gets_through_without_tls_or_without_trust(secure: Gateway) -> None:
    with pytest.raises((InvalidMessage, OSError)):
        async with connect(address(secure).replace("wss", "ws"), proxy=None):
            pass
    with pytest.raises(ssl.SSLCertVerificationError):
        async with connect(address(secure), proxy=None):
            pass
    with pytest.raises(httpx.HTTPError):
        async with httpx.AsyncClient() as http:
            await http.get(secure.url.replace("https", "http") + "/health")
