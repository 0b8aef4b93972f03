"""What an error of an ACP agent means, in one sentence for people. The agent's own words stay in the log: they may hold anything."""

from __future__ import annotations

import re
from typing import Final

from sygen_bot.errors import ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.providers.acp_profiles import AcpProfile
from sygen_bot.providers.jsonrpc import RpcError

AUTH_REQUIRED: Final = -32000
_STATUS: Final = re.compile(r"(?<![\w.-])(4\d\d|5\d\d)(?![\w.-])")
_LOGIN_WORDS: Final = re.compile(
    r"api[ _-]?key|unauthori[sz]ed|unauthenticated|authenticat|auth method|not logged in|log ?in", re.IGNORECASE
)
_LIMIT_WORDS: Final = re.compile(r"rate.?limit|quota|exhausted|too many requests", re.IGNORECASE)
_NETWORK_WORDS: Final = re.compile(r"fetch failed|econnre|enotfound|etimedout|network|socket hang up", re.IGNORECASE)


def error_of(error: RpcError, profile: AcpProfile) -> TurnError:
    """What it means that a call was answered with `error`. Some agents give the HTTP status of their model's API as the code."""
    said = f"{error.message} {error.data if error.data is not None else ''}"
    status = error.code if 400 <= error.code < 600 else _status_in(said)
    name = profile.name
    if status in (401, 403) or error.code == AUTH_REQUIRED or (status in (400, None) and _LOGIN_WORDS.search(said)):
        return not_logged_in(profile)
    if status == 429 or _LIMIT_WORDS.search(said):
        return ProviderUnavailable(f"{name} has reached its usage limit. Try again later.")
    if status == 404:
        return ProviderFailed(f"{name} does not know this model, or the account may not use it. Choose another one.")
    if status in (503, 529):
        return ProviderUnavailable(f"The model of {name} is overloaded. Try again in a moment.")
    if _NETWORK_WORDS.search(said):
        return ProviderUnavailable(f"{name} cannot reach its model. Check the network connection.")
    if status is not None:
        return ProviderFailed(f"The model of {name} answered with the error {status}. Try again.")
    return ProviderFailed(f"{name} stopped before it had an answer. The gateway's log may say why.")


def not_logged_in(profile: AcpProfile) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"{profile.name} was not accepted by its model: the login or the key is missing or wrong. {profile.remedy}"
    )


def says_login_is_missing(stderr: str) -> bool:
    """Whether the last words of an agent that ended at its start were about its login."""
    return _LOGIN_WORDS.search(stderr) is not None


def _status_in(text: str) -> int | None:
    found = _STATUS.search(text)
    return None if found is None else int(found[1])
