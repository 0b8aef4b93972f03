"""The first frame: who is there, and the keys of the connection. docs/protocol.md, sections 1 and 5.6."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import msgspec

from sygen_bot.api import crypto
from sygen_bot.api.context import ApiContext, Conversation
from sygen_bot.api.protocol import AuthOk, AuthRequest, Form, HandshakeError
from sygen_bot.errors import DecryptFailed
from sygen_bot.session.key import SessionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A client that was let in. `proof` is for one that sealed its token; `request` says what else it asked for."""

    key: SessionKey
    public_key: bytes
    encryption: crypto.E2ESession
    proof: str | None
    request: AuthRequest

    @property
    def form(self) -> Form:
        return Form(sync=self.request.sync, full_tools=self.request.full_tools, approvals=self.request.approvals)

    def answer(
        self, context: ApiContext, conversation: Conversation | None, resume: Literal["ok", "gap"] | None
    ) -> AuthOk:
        """What the client is told. `resume`: whether what it missed follows, if it asked for that."""
        provider, model = context.active(self.key)
        answer = AuthOk(
            chat_id=self.key.chat_id,
            channel_id=self.key.topic_id,
            e2e_pk=crypto.encode_key(self.public_key),
            providers=context.providers.cards(),
            active_provider=provider,
            active_model=model,
            proof=self.proof,
            pending_approvals=len(context.approvals.pending())
            if self.request.approvals and context.approvals
            else None,
        )
        if not self.request.sync or conversation is None:
            return answer
        return msgspec.structs.replace(
            answer,
            session_id=conversation.id,
            agent=conversation.agent,
            cursor=str(conversation.log.cursor),
            unread_notifications=0 if context.notifications is None else context.notifications.unread,
            resume=resume,
        )


def admit(request: AuthRequest, context: ApiContext) -> Admission:
    """Check keys, then the token. Raises HandshakeError(auth_failed), the same for whatever is wrong."""
    try:
        peer = crypto.decode_key(request.e2e_pk)
        public, private = crypto.new_key_pair()
        shared = crypto.agree(peer, private)
    except crypto.InvalidKey as error:
        raise HandshakeError("auth_failed") from error
    is_sealed = request.sealed is not None
    token, proof = request.token, None
    if is_sealed:
        identity_shared = crypto.agree(peer, context.identity)  # the key is a good one, or it would be refused by now
        token = _unseal(request.sealed, identity_shared)
        proof = crypto.seal_frame(identity_shared, os.urandom(crypto.NONCE_BYTES), public).decode()
    if not context.token.opens(token) or (context.require_sealed and not is_sealed):
        raise HandshakeError("auth_failed")
    chat_id = context.default_chat_id if request.chat_id is None else request.chat_id
    return Admission(
        key=SessionKey("api", chat_id, request.channel_id),
        public_key=public,
        encryption=crypto.E2ESession(role="server", shared_key=shared),
        proof=proof,
        request=request,
    )


def _unseal(sealed: object, identity_shared: bytes) -> object:
    """The token in a sealed box, or None if it does not open or holds none."""
    if not isinstance(sealed, str):
        return None
    try:
        _, plaintext = crypto.open_frame(identity_shared, sealed.encode("utf-8", "replace"))
        content = msgspec.json.decode(plaintext)
    except (DecryptFailed, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content.get("token") if isinstance(content, dict) else None
