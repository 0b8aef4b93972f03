"""What a notification looks like to clients, over HTTP and in the push alike."""

from __future__ import annotations

from sygen_bot.storage.notifications import Notification


def notification_fields(notification: Notification) -> dict[str, object]:
    """Its JSON object. `created_at`: epoch seconds."""
    return {
        "id": notification.id,
        "type": notification.type,
        "title": notification.title,
        "body": notification.body,
        "agent": notification.agent,
        "status": notification.status,
        "source_id": notification.source_id,
        "severity": notification.severity,
        "created_at": notification.created_at,
        "read": notification.is_read,
        "chat_id": notification.chat_id,
        "channel_id": notification.channel_id,
        "session_id": notification.session_id,
    }
