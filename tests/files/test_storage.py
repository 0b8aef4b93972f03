"""The folder of uploads: what is old goes, and nothing else."""

from __future__ import annotations

import errno
import os
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from sygen_bot.files.storage import UploadFolder

NOW = datetime(2026, 3, 31, 12).timestamp()


def upload(folder: Path, name: str, *, days_ago: int) -> Path:
    uploads = UploadFolder(folder)
    temporary = uploads.temporary()
    temporary.write_text(name)
    day = date(2026, 3, 31) - timedelta(days=days_ago)
    path = uploads.publish(temporary, name, today=day)
    os.utime(path, (NOW - days_ago * 86_400,) * 2)
    return path


def test_what_is_older_than_it_may_be_goes_with_its_folder(tmp_path: Path) -> None:
    old, young = upload(tmp_path, "old", days_ago=32), upload(tmp_path, "young", days_ago=29)
    assert UploadFolder(tmp_path).remove_old(days=30, now=NOW) == 1
    assert not old.parent.exists()
    assert young.read_text() == "young"


def test_what_was_changed_lately_stays(tmp_path: Path) -> None:
    old = upload(tmp_path, "old", days_ago=32)
    os.utime(old, (NOW, NOW))
    assert UploadFolder(tmp_path).remove_old(days=30, now=NOW) == 0
    assert old.exists()


def test_nothing_outside_of_the_folders_of_days_is_touched(tmp_path: Path) -> None:
    uploads, elsewhere = tmp_path / "uploads", tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in (elsewhere / "kept", upload(uploads, "old", days_ago=100)):
        file.write_text("kept")
        os.utime(file, (0, 0))
    (uploads / "2020-01-01").symlink_to(elsewhere)
    (uploads / "notes").mkdir()
    (uploads / "9999-99-99").mkdir()
    (old := uploads / "2025-12-21" / "link").symlink_to(elsewhere / "kept")
    assert old.parent.is_dir()
    os.utime(old, (0, 0), follow_symlinks=False)
    assert UploadFolder(uploads).remove_old(days=30, now=NOW) == 2
    assert (elsewhere / "kept").exists()
    assert sorted(path.name for path in uploads.iterdir()) == ["2020-01-01", "9999-99-99", "notes"]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    uploads = UploadFolder(tmp_path / "none")
    assert uploads.remove_old(days=1, now=NOW) == 0
    uploads.remove_unfinished()


def test_what_was_left_half_way_goes_at_the_start(tmp_path: Path) -> None:
    uploads = UploadFolder(tmp_path)
    uploads.temporary().write_text("half")
    whole = upload(tmp_path, "whole", days_ago=0)
    uploads.remove_unfinished()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [whole]


def test_a_disk_without_hard_links_takes_uploads_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_args: object, **_options: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    paths = [upload(tmp_path, "same.txt", days_ago=0) for _ in range(3)]
    assert [path.name for path in paths] == ["same.txt", "same_1.txt", "same_2.txt"]
    assert all(path.read_text() == "same.txt" for path in paths)
