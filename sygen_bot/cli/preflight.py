"""What of a configuration only shows when it is used: the gateway would not start, or nobody would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sygen_bot.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sygen_bot.config import Settings
    from sygen_bot.providers.base import Provider


def tls_problems(settings: Settings) -> list[Problem]:
    """What is wrong with the certificate and its key."""
    import ssl

    certificate, key = settings.api.tls_cert, settings.api.tls_key
    if certificate is None or key is None:
        return []
    problems = []
    for name, file in (("api.tls_cert", certificate), ("api.tls_key", key)):
        try:
            file.open("rb").close()
        except OSError as error:
            problems.append(Problem(name, f"{file} ({error.strerror})", "a PEM file that can be read"))
    if not problems:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or str(error)
            problems.append(
                Problem("api.tls_cert", f"{certificate} ({reason})", "a PEM certificate and its unencrypted key")
            )
    return problems


def target_problems(settings: Settings, providers: Sequence[Provider]) -> list[Problem]:
    """A provider that is named or set up but does not exist. One that only cannot run now is no problem of the configuration."""
    known = [provider.info.id for provider in providers]
    named = {"provider": settings.provider, f"agents.{settings.agent_name}.provider": settings.agent.provider}
    allowed = ", ".join(known) if known else "none, this installation has no provider"
    problems = [Problem(key, name, allowed) for key, name in named.items() if name is not None and name not in known]
    return problems + [
        Problem(f"providers.{name}", "an unknown provider", allowed) for name in settings.providers if name not in known
    ]
