"""What `/notifications`, `/tasks` and `/cron` answer, as Markdown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sygen_bot.notifications.center import NotificationCenter
from sygen_bot.session.text import one_line
from sygen_bot.storage.jobs import Job, JobStore
from sygen_bot.storage.runs import RunStore

_NEWEST: Final = 10
_MARK: Final = {"info": "", "warning": "⚠ ", "critical": "‼ "}


def reports(
    *, notifications: NotificationCenter, runs: RunStore, jobs: JobStore
) -> Mapping[str, Callable[[], Awaitable[str]]]:
    """Each report by its command."""

    async def on_notifications() -> str:
        found = await notifications.listed(limit=_NEWEST, unread_only=False, before=None)
        lines = [
            f"- {'' if one.is_read else '**new** '}{_MARK[one.severity]}**{_plain(one.title)}**, {_when(one.created_at)}"
            for one in found
        ]
        return "\n".join([*lines, "", f"{notifications.unread} unread."]) if lines else "There are no notifications."

    async def on_tasks() -> str:
        found = await runs.listed(source="task", source_id=None, before=None, limit=_NEWEST) or []
        lines = [f"- `{one.id}` **{_plain(one.title)}**: {one.status}, {_when(one.created_at)}" for one in found]
        return "\n".join(lines) or "There are no background tasks. `sygen task add` makes one."

    async def on_cron() -> str:
        listed = await jobs.listed()
        lines = await asyncio.to_thread(lambda: [_line(job) for job in listed])  # time zones are files
        return "\n".join(lines) or "There are no cron jobs. `sygen cron add` makes one."

    return {"/notifications": on_notifications, "/tasks": on_tasks, "/cron": on_cron}


def _line(job: Job) -> str:
    due = job.due_at if job.is_enabled else None
    when = "off" if due is None else f"next {_when(due, job.timezone)}"
    return f"- `{job.id}` **{_plain(job.title)}**: `{job.schedule}` ({job.timezone}), {when}"


def _when(moment: float, timezone: str | None = None) -> str:
    try:
        zone = None if timezone is None else ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # a zone that has gone takes no other job with it
        zone = None
    return datetime.fromtimestamp(moment).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _plain(title: str) -> str:
    return one_line(title).replace("*", "\\*").replace("`", "'")
