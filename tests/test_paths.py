"""Where the gateway's files are, and how private they are."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sygen_bot.errors import SetupError
from sygen_bot.paths import Paths


def test_without_a_variable_the_home_is_in_the_users_home() -> None:
    assert Paths.from_environment({}).home == Path.home() / ".sygen"
    assert Paths.from_environment({"SYGEN_HOME": ""}).home == Path.home() / ".sygen"


@pytest.mark.parametrize(
    ("value", "home"),
    [("/somewhere", Path("/somewhere")), ("~/sygen", Path.home() / "sygen"), ("here", Path.cwd() / "here")],
)
def test_the_variable_moves_the_home_and_the_home_is_absolute(value: str, home: Path) -> None:
    assert Paths.from_environment({"SYGEN_HOME": value}).home == home


def test_preparing_makes_a_home_that_only_its_owner_enters(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "deep" / "home")
    paths.prepare()
    folders = [paths.home, *(entry for entry in paths.home.iterdir() if entry.is_dir())]
    assert {folder.name: stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {
        folder.name: 0o700 for folder in folders
    }
    assert paths.workspace in folders


def test_preparing_again_closes_a_home_that_was_opened_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.prepare()
    (paths.workspace / "notes.txt").write_text("kept")
    paths.home.chmod(0o755)
    paths.prepare()
    assert stat.S_IMODE(paths.home.stat().st_mode) == 0o700
    assert (paths.workspace / "notes.txt").read_text() == "kept"


def test_a_home_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError) as refused:
        Paths(tmp_path / "file" / "home").prepare()
    assert str(refused.value).count("\n") == 0
    assert "SYGEN_HOME" in str(refused.value)


def test_everything_but_the_workspace_is_private(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    kept = (paths.config_file, paths.identity_key, paths.database, paths.lock_file, paths.chat_history)
    for file in kept:
        assert any(file == private or private in file.parents for private in paths.private), file
    for shared in (paths.workspace, paths.uploads):
        assert not any(shared == private or private in shared.parents for private in paths.private), shared


def test_everything_is_inside_the_home(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home")
    paths.prepare()
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]
    assert all(paths.home in path.parents for path in (*paths.private, paths.workspace, paths.uploads, paths.run_dir))
