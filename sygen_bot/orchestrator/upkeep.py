"""What a gateway does again and again: it looks who can answer, and removes what is old."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from sygen_bot.automation.webhooks import Webhooks
from sygen_bot.config import Settings
from sygen_bot.errors import StorageError
from sygen_bot.files.storage import UploadFolder
from sygen_bot.notifications.center import NotificationCenter
from sygen_bot.orchestrator.approvals import Approvals
from sygen_bot.providers.registry import ProviderRegistry
from sygen_bot.storage.approvals import KEPT_DAYS

_REFRESH_S: Final = 30.0
_CLEAN_S: Final = 6 * 3600.0
_DELIVERY_DAYS: Final = 30
_log = structlog.get_logger(__name__)


async def keep_fresh(registry: ProviderRegistry) -> None:
    """Notice providers that come and go while the gateway runs."""
    while True:
        await asyncio.sleep(_REFRESH_S)
        await registry.refresh()


async def keep_clean(
    settings: Settings,
    uploads: UploadFolder,
    notifications: NotificationCenter,
    approvals: Approvals,
    webhooks: Webhooks | None,
) -> None:
    """Remove what is older than it may be."""
    upload_days, notification_days = settings.cleanup.api_files_days, settings.notifications.keep_days
    while True:
        now = time.time()
        try:
            if upload_days and (removed := await asyncio.to_thread(uploads.remove_old, days=upload_days, now=now)):
                _log.info("removed old uploads", files=removed, older_than_days=upload_days)
            if notification_days:
                await notifications.remove_old(before=now - notification_days * 86_400)
            await approvals.remove_old(before=now - KEPT_DAYS * 86_400)
            if webhooks is not None:
                await webhooks.forget(before=now - _DELIVERY_DAYS * 86_400)
        except (OSError, StorageError) as error:
            _log.warning("what is old cannot be removed", reason=str(error))
        await asyncio.sleep(_CLEAN_S)
