"""The first words with an ACP agent: who we are, what it can do, and the session that it is to go on with, or a new one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from sygen_bot import __version__
from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.providers.acp_context import Context
from sygen_bot.providers.acp_profiles import AcpProfile
from sygen_bot.providers.acp_session import Offer
from sygen_bot.providers.jsonrpc import Params, Peer, RpcError

_PROTOCOL_VERSION: Final = 1
_HELLO: Final[Params] = {
    "protocolVersion": _PROTOCOL_VERSION,
    # It runs on this very machine and has files and terminals of its own.
    "clientCapabilities": {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False},
    "clientInfo": {"name": "sygen", "title": "Sygen", "version": __version__},
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """An open session. `is_anew`: it should have been another one, which is gone. `prompt_capabilities`: what a prompt may hold."""

    context: Context
    offer: Offer
    is_anew: bool
    prompt_capabilities: Mapping[str, Any]


async def open_session(peer: Peer, *, profile: AcpProfile, wanted: Context | None, workspace: Path) -> Opening:
    """Raises RpcError, PeerClosed, ProviderUnavailable, ProviderFailed."""
    match await peer.call("initialize", _HELLO):
        case {"protocolVersion": int(version), **rest} if version == _PROTOCOL_VERSION:
            capabilities = _object(rest.get("agentCapabilities"))
        case _:
            raise ProviderFailed(f"{profile.name} speaks a version of its protocol that is not known here.")
    place = {"cwd": str(workspace), "mcpServers": []}
    session = None
    if wanted is not None and capabilities.get("loadSession") is True and _may_be_loaded(wanted, profile):
        session = await _load(peer, wanted, place, profile)
    is_loaded = session is not None
    if wanted is not None and session is not None:
        context = msgspec.structs.replace(wanted, opened_at=time.time())
    else:
        session = _object(await peer.call("session/new", place))
        session_id = session.get("sessionId")
        if not isinstance(session_id, str) or not session_id:
            raise ProviderFailed(f"{profile.name} did not begin a conversation.")
        context = Context(session_id, time.time(), recent=wanted.recent if wanted else ())
    offer = Offer.of(session)
    await _see_that_it_asks(peer, context.session_id, offer, profile)
    return Opening(
        context, offer, wanted is not None and not is_loaded, _object(capabilities.get("promptCapabilities"))
    )


def _may_be_loaded(wanted: Context, profile: AcpProfile) -> bool:
    return profile.load_after_s is not None and time.time() - wanted.opened_at >= profile.load_after_s


async def _load(peer: Peer, wanted: Context, place: Params, profile: AcpProfile) -> Mapping[str, Any] | None:
    try:
        return _object(await peer.call("session/load", {"sessionId": wanted.session_id, **place}))
    except RpcError as error:
        _log.info("acp_session_not_loaded", agent=profile.id, error=error.message)
        return None


async def _see_that_it_asks(peer: Peer, session_id: str, offer: Offer, profile: AcpProfile) -> None:
    mode = offer.asking_mode
    if mode is None and offer.mode is not None:
        raise ProviderUnavailable(f"{profile.name} would use tools without asking, and has no mode in which it asks.")
    if mode is not None and mode != offer.mode:
        await peer.call("session/set_mode", {"sessionId": session_id, "modeId": mode})


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
