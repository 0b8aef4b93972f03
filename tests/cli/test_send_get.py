"""`sygen send` and `sygen get` against a real gateway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, Running, Terminal, environment, run, run_each, serving
from tests.cli.conftest import Served

NOISE = os.urandom(2_000_000)


def put(served: Served, name: str, content: bytes = NOISE) -> Path:
    """A file that the gateway has."""
    file = served.home / "workspace" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def uploads(home: Path) -> list[Path]:
    return [path for path in (home / "workspace" / "api_files").rglob("*") if path.is_file()]


# --- send -----------------------------------------------------------------------------------------------------------------


def test_a_file_is_sent_and_the_agent_asked_about_it(served: Served, tmp_path: Path) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("one two")
    ended = run(served.home, "send", str(source), "--caption", "what is this?", "--channel", "20")
    assert (ended.returncode, ended.stderr) == (0, "sent notes.txt (7 bytes)\n")
    assert ended.stdout.startswith("You said: [INCOMING FILE]")
    assert "notes.txt" in ended.stdout
    assert "what is this?" in ended.stdout


def test_several_files_are_one_question(served: Served, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    ended = run(served.home, "send", str(tmp_path / "a.txt"), str(tmp_path / "b.txt"), "--caption", "compare")
    assert ended.stdout.count("[INCOMING FILE]") == 2
    assert ended.stdout.count("compare") == 1


def test_without_asking_it_prints_where_the_gateway_has_it(served: Served, tmp_path: Path) -> None:
    source = tmp_path / "noise.bin"
    source.write_bytes(NOISE)
    ended = run(served.home, "send", "--no-ask", str(source), str(source))
    assert (ended.returncode, ended.stderr) == (0, "sent noise.bin (2.0 MB)\nsent noise_1.bin (2.0 MB)\n")
    assert [Path(line).read_bytes() for line in ended.stdout.splitlines()] == [NOISE] * 2


def test_a_dash_sends_standard_input(served: Served) -> None:
    ended = run(served.home, "send", "-", "--name", "boot.log", "--no-ask", given="line\n" * 100_000)
    assert ended.stderr == "sent boot.log (500.0 kB)\n"
    assert Path(ended.stdout.strip()).read_text() == "line\n" * 100_000


def test_a_recording_is_transcribed_and_asked(tmp_path: Path) -> None:
    engine, recording = tmp_path / "engine", tmp_path / "voice.wav"
    engine.write_text("#!/bin/sh\necho SAY good morning\n")
    engine.chmod(0o755)
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    home = tmp_path / "home"
    with serving(home, SYGEN_TRANSCRIPTION__CUSTOM=f"{engine} {{file}}", SYGEN_API__DRAIN_S="0"):
        ended = run(home, "send", "--voice", str(recording))
    assert (ended.returncode, ended.stdout) == (0, "good morning\n")
    assert ended.stderr.splitlines()[-1] == "> SAY good morning"


def test_what_cannot_be_sent_is_exit_code_2_before_anything_travels(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    wrong: tuple[list[str], ...] = (
        [],
        [str(tmp_path / "missing")],
        [str(tmp_path)],
        ["-", "-"],
        ["--name", "x", str(file), str(file)],
        ["--voice", str(file), str(file)],
        ["--voice", "--caption", "x", str(file)],
        ["--voice", "--no-ask", str(file)],
    )
    before = uploads(served.home)
    for ended in run_each(served.home, [("send", *arguments) for arguments in wrong]):
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr
    assert uploads(served.home) == before


def test_what_the_gateway_does_not_take_is_exit_code_1_and_a_line(tmp_path: Path) -> None:
    source, home = tmp_path / "large", tmp_path / "home"
    with source.open("wb") as file:
        file.truncate(100_000_000)
    with serving(home, SYGEN_API__MAX_UPLOAD_BYTES="1000"):
        ended = run(home, "send", str(source))
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "larger than 1000 bytes" in ended.stderr
    assert uploads(home) == []


@pytest.mark.parametrize("command", [["send", "{file}"], ["get", "/there"]])
def test_no_way_in_is_exit_code_4(served: Served, tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    arguments = [part.format(file=file) for part in command]
    for ended in run_each(
        served.home,
        [
            (*arguments, "--token", "wrong"),
            (*arguments, "--url", "http://127.0.0.1:1", "--token", "any"),
            (*arguments, "--url", "http://127.0.0.1:1"),
        ],
    ):
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (4, "", 1)


def test_ctrl_c_stops_an_upload_and_leaves_nothing(served: Served) -> None:
    before = uploads(served.home)
    with subprocess.Popen(
        [*COMMAND, "send", "-"],
        env=environment(served.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as sending:
        assert sending.stdin is not None
        sending.stdin.write(NOISE)
        sending.stdin.flush()  # taken, but for what a pipe holds: it is on its way
        sending.send_signal(signal.SIGINT)
        assert sending.wait(20) == 130
        assert sending.stdout is not None
        assert sending.stdout.read() == b""
        assert sending.stderr is not None
        assert sending.stderr.read() == b"Nothing more was sent.\n"
    wait_until_gone(served.home, before)


def wait_until_gone(home: Path, before: list[Path]) -> None:
    deadline = time.monotonic() + 20
    while uploads(home) != before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_terminal_shows_a_bar_and_takes_no_orders_from_a_name(served: Served, tmp_path: Path) -> None:
    source = tmp_path / "a [red]\x1b]0;owned\x07.bin"
    source.write_bytes(NOISE)
    with Terminal(served.home, "send", "--no-ask", str(source)) as terminal:
        terminal.expect("a [red]]0;owned.bin")
        terminal.expect("2.0 MB")
        terminal.expect("sent a [red]")
        assert terminal.end() == 0


# --- get ------------------------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_and_its_place_printed(served: Served, tmp_path: Path) -> None:
    remote = put(served, "chart.bin")
    folder = tmp_path / "folder"
    folder.mkdir()
    named, into, again, forced = (
        run(served.home, "get", str(remote), *arguments)
        for arguments in (
            [str(tmp_path / "here.bin")],
            [str(folder)],
            ["-o", str(folder)],
            ["--force", "-o", str(folder)],
        )
    )
    assert (named.returncode, named.stdout, named.stderr) == (0, f"{tmp_path / 'here.bin'}\n", "")
    assert into.stdout == forced.stdout == f"{folder / 'chart.bin'}\n"
    assert (folder / "chart.bin").read_bytes() == (tmp_path / "here.bin").read_bytes() == NOISE
    assert (again.returncode, again.stdout) == (1, "")
    assert "--force" in again.stderr


def test_it_can_be_piped(served: Served) -> None:
    remote = put(served, "piped.bin")
    for arguments in (["-"], ["-o", "-"]):
        ended = subprocess.run(
            [*COMMAND, "get", str(remote), *arguments],
            env=environment(served.home),
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, NOISE, b"")


def test_what_is_refused_is_exit_code_1_and_a_line(served: Served, tmp_path: Path) -> None:
    for ended in run_each(
        served.home,
        [
            ("get", "/etc/passwd", str(tmp_path)),
            ("get", str(served.home / "workspace" / "missing"), str(tmp_path)),
        ],
    ):
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_exit_code_2(served: Served, tmp_path: Path) -> None:
    ended = run(served.home, "get", "/any", str(tmp_path / "missing" / "file"))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "missing" in ended.stderr


def test_no_room_is_told_in_one_line(served: Served, tmp_path: Path) -> None:
    remote = put(served, "large.bin")
    (tmp_path / "here.part").symlink_to("/dev/full")
    ended = run(served.home, "get", str(remote), str(tmp_path / "here"))
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "No space left on device. Make room" in ended.stderr


def test_ctrl_c_keeps_what_is_there_and_the_same_command_goes_on(served: Served, tmp_path: Path) -> None:
    remote = put(served, "long.bin", NOISE * 10)
    with subprocess.Popen(
        [*COMMAND, "get", str(remote), "-"],
        env=environment(served.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as getting:
        assert getting.stdout is not None
        assert getting.stdout.read(1_000_000) == NOISE[:1_000_000]
        getting.send_signal(signal.SIGINT)  # it waits for us to read on
        assert getting.wait(20) == 130
        assert getting.stderr is not None
        assert getting.stderr.read() == b""
        getting.stdout.close()
    to = tmp_path / "here"
    with Running(served.home, "get", str(remote), str(to)) as stopped:
        part = to.with_name("here.part")
        while stopped.process.poll() is None and not (part.exists() and part.stat().st_size):
            pass
        code, out, err = stopped.end(signal.SIGINT)
    if code == 130:  # not so quick that all was there before
        assert out == ""
        assert err.startswith("Stopped at ")
        assert err.endswith("The same command goes on from there.\n")
        assert run(served.home, "get", str(remote), str(to)).returncode == 0
    assert to.read_bytes() == NOISE * 10


def test_help_comes_without_loading_what_is_heavy(served: Served) -> None:
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sygen_bot", "send", "--help"],
        env=environment(served.home),
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert not any(
        f"| {' ' * depth}{name}\n" in loaded for name in ("httpx", "rich", "websockets") for depth in range(9)
    )
