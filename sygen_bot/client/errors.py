"""What can go wrong on the client's side. `str()` of each is one sentence for people.

ClientError
├── CannotConnect        nobody answers there, or not as a gateway does
├── HandshakeRefused     the gateway does not let us in, or is not the one we know
├── ConnectionLost       the connection went away before the answer was there
├── MessageRefused       the gateway did not take the message; nothing ran
├── TurnFailed           the turn ended without an answer
├── TooLate              what was to be approved has its answer, or needs none any more
├── RequestFailed        a request, or a file, was answered with an error
├── TransferFailed       a file did not arrive whole
└── NotPrivate           others would read what is sent, and nobody said that they may
"""

from __future__ import annotations

from sygen_bot.errors import SygenError


class ClientError(SygenError):
    """Base of all errors of the client."""

    code = "client"


class CannotConnect(ClientError):
    """Nobody answers at `url`, or not as a gateway does."""

    code = "cannot_connect"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"There is no connection to {self.url}: {self.reason}."


class HandshakeRefused(ClientError):
    """The gateway does not let us in, or cannot prove that it is the one we know. `reason`: a code of the handshake, or `wrong_server`."""

    code = "handshake_refused"

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(reason, sentence)
        self.reason = reason
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class ConnectionLost(ClientError):
    """The connection went away before the answer was there. The agent may go on all the same.

    `was_too_large`: the gateway closed it because of a frame of ours.
    """

    code = "connection_lost"

    def __init__(self, *, was_too_large: bool = False) -> None:
        super().__init__()
        self.was_too_large = was_too_large

    def __str__(self) -> str:
        return "The connection was lost before the answer was there. If the gateway still runs, so does the agent."


class MessageRefused(ClientError):
    """The gateway did not take the message; nothing ran. `code` says why, as in the protocol."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code  # type: ignore[misc]  # the server's code is that of this one error, not of its class
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class TurnFailed(MessageRefused):
    """The turn began and ended without an answer."""


class TooLate(MessageRefused):
    """Somebody else has answered the request for an approval, its time is up, or its turn has ended."""


class RequestFailed(ClientError):
    """A request to the JSON API, or for a file, was answered with an error: `status` as in HTTP, `code` as in its body."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(status, code, sentence)
        self.status = status
        self.code = code  # type: ignore[misc]  # see MessageRefused
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class TransferFailed(ClientError):
    """A file did not arrive whole, and trying again did not help."""

    code = "transfer_failed"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class NotPrivate(ClientError):
    """Files travel by HTTP, and `url` is neither TLS nor this machine: others on the way would read them, and the token."""

    code = "not_private"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return (
            f"Files would travel readable for others to {self.url}. Use https://, or if the way is private all the same, "
            "as inside a tailnet, allow it (`allow_plain`; on the command line --allow-plain)."
        )
