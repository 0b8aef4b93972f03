"""The environment of an agent process: built from a short list of names, never inherited from the gateway."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from types import MappingProxyType

PASSED = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "LANG"),
        *("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    }
)
PASSED_PREFIXES = ("LC_", "XDG_", "SSL_CERT_")
OWN_PREFIX = "SYGEN_"

_NOTHING: Mapping[str, str] = MappingProxyType({})


def agent_environment(
    *, credentials: Collection[str] = (), extra: Mapping[str, str] = _NOTHING, source: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment for one agent process.

    Home, path, locale, certificates and proxies pass from `source` (default: the gateway's own environment), and of
    everything else only the names in `credentials`. `extra`, the configured variables of the provider, comes on top.
    `SYGEN_*` never passes, whoever names it: those are the gateway's own secrets. PATH is always set.
    """
    origin = os.environ if source is None else source
    environment = {
        name: value
        for name, value in origin.items()
        if name in PASSED or name.startswith(PASSED_PREFIXES) or name in credentials
    }
    environment.setdefault("PATH", os.defpath)
    environment.update(extra)
    return {name: value for name, value in environment.items() if not name.upper().startswith(OWN_PREFIX)}
