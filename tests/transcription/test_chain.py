"""The chain of engines: who is asked, in which order, and what happens when they do not do it. The engines are real processes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sygen_bot.errors import NotFound, RequestError
from sygen_bot.transcription.chain import Transcriber, sweep_recordings
from sygen_bot.transcription.errors import NoEngine, NotARecording, RecordingTooLarge, TranscriptionFailed
from tests.fakes.openai_audio import speech_api
from tests.fakes.speech import Speech
from tests.transcription.conftest import Machine

WAV = "audio/x-wav"
PATIENCE_S = 10.0
NAMES = ["custom", "openai", "whisper", "whisper-ctranslate2", "whisper.cpp"]

# Each stands for the command of that name: it notes that it was asked, and says its name in the way of the real one.
ASKED = 'echo {name} >> "{log}"\n'
SAYS_CUSTOM = "echo it was custom"
SAYS_WHISPER = """
file=$1
while [ "$1" != --output_dir ]; do shift; done
base=${{file##*/}}
echo '{{"text": "it was {name}"}}' > "$2/${{base%.*}}.json"
"""
SAYS_CPP = """
while [ "$1" != -of ]; do shift; done
echo it was {name} > "$2.txt"
"""
SAYS = {
    "custom": SAYS_CUSTOM,
    "whisper": SAYS_WHISPER.format(name="whisper"),
    "whisper-ctranslate2": SAYS_WHISPER.format(name="whisper-ctranslate2"),
    "whisper.cpp": SAYS_CPP.format(name="whisper.cpp"),
}
COMMANDS = {"custom": "hear", "whisper.cpp": "whisper-cli"}


@pytest.fixture
def ggml(machine: Machine) -> str:
    """Something that passes for a model, for scripts that stand for whisper.cpp."""
    model = machine.root / "ggml.bin"
    model.touch()
    return str(model)


async def transcribed(transcriber: Transcriber, speech: Speech) -> tuple[str, str]:
    transcript = await transcriber.transcribe(speech.files["wav"], mime=WAV)
    return transcript.engine, transcript.text


async def failure(transcriber: Transcriber, speech: Speech) -> str:
    with pytest.raises(TranscriptionFailed) as caught:
        await transcribed(transcriber, speech)
    return str(caught.value)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something outside of this process has happened."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stubborn(machine: Machine) -> Path:
    """The command `hear` starts a child and never ends, also if it is asked to. Returns the file with both pids."""
    file = machine.root / "pids"
    machine.put("hear", f'trap "" TERM\necho $$ >> {file}\n(trap "" TERM; sleep 1000) &\necho $! >> {file}\nwait')
    return file


# --- the order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", NAMES)
async def test_the_first_engine_that_can_answers_and_no_later_one_is_asked(
    machine: Machine, speech: Speech, ggml: str, first: str
) -> None:
    machine.link("ffmpeg")
    log, expected = machine.root / "log", NAMES[: NAMES.index(first) + 1]
    for name, says in SAYS.items():
        fails = "exit 3" if NAMES.index(name) < NAMES.index(first) else says
        machine.put(COMMANDS.get(name, name), ASKED.format(name=name, log=log) + fails)
    async with speech_api() as api:
        api.answer({"text": "it was openai"}, 200 if first == "openai" else 500)
        transcriber = machine.transcriber(
            custom="hear {file}", openai_base_url=f"{api.url}/v1", models={"whisper.cpp": ggml}
        )
        assert await transcribed(transcriber, speech) == (first, f"it was {first}")
        assert log.read_text().split() == [name for name in expected if name != "openai"]
        assert len(api.requests) == ("openai" in expected)
    assert machine.left() == []


async def test_every_engine_says_why_it_failed(machine: Machine, speech: Speech, ggml: str) -> None:
    machine.link("ffmpeg")
    for name in SAYS:
        machine.put(COMMANDS.get(name, name), f"echo the {name} engine is broken >&2\nexit 1")
    async with speech_api() as api:
        api.answer({"error": {"message": "the quota is used up"}}, 429)
        transcriber = machine.transcriber(custom="hear {file}", openai_base_url=api.url, models={"whisper.cpp": ggml})
        said = await failure(transcriber, speech)
    places = [said.index(f" {name}: ") for name in NAMES]
    assert places == sorted(places)
    assert "the quota is used up" in said
    assert all(f"the {name} engine is broken" in said for name in SAYS)


async def test_without_an_engine_it_is_said_how_to_get_one(machine: Machine, speech: Speech) -> None:
    with pytest.raises(NoEngine, match=r"pip install 'sygen-bot\[whisper\]'") as caught:
        await transcribed(machine.transcriber(), speech)
    assert caught.value.code == "unavailable"


async def test_a_custom_program_that_is_missing_is_passed_over_and_named(machine: Machine, speech: Speech) -> None:
    transcriber = machine.transcriber(custom="/nowhere/hear {file}")
    with pytest.raises(NoEngine, match=r"custom: the program hear .* is not found"):
        await transcribed(transcriber, speech)
    machine.put("whisper-ctranslate2", SAYS["whisper-ctranslate2"])
    assert await transcribed(transcriber, speech) == ("whisper-ctranslate2", "it was whisper-ctranslate2")


async def test_a_program_that_cannot_be_run_passes_to_the_next(machine: Machine, speech: Speech) -> None:
    machine.put("hear", "").write_text("#!/nowhere/interpreter\n")
    machine.put("whisper-ctranslate2", SAYS["whisper-ctranslate2"])
    assert (await transcribed(machine.transcriber(custom="hear {file}"), speech))[0] == "whisper-ctranslate2"


@pytest.mark.parametrize(
    "says",
    [
        "echo '{\"error\": 1}'",
        "echo '{'",
        "printf '{\"text\": 1}'",
        "exit 1",
        "kill -9 $$",
        "head -c 5000000 /dev/zero",
    ],
)
async def test_nonsense_and_failure_pass_to_the_next_engine(machine: Machine, speech: Speech, says: str) -> None:
    machine.put("hear", says)
    machine.put("whisper-ctranslate2", SAYS["whisper-ctranslate2"])
    assert (await transcribed(machine.transcriber(custom="hear {file}"), speech))[0] == "whisper-ctranslate2"


async def test_an_engine_that_takes_too_long_is_ended_and_the_next_one_asked(machine: Machine, speech: Speech) -> None:
    file = stubborn(machine)
    machine.put("whisper-ctranslate2", SAYS["whisper-ctranslate2"])
    assert (await transcribed(machine.transcriber(custom="hear {file}", timeout_s=0.5), speech))[0] == (
        "whisper-ctranslate2"
    )
    assert len(pids(file)) == 2
    assert not any(is_running(pid) for pid in pids(file))


async def test_what_needs_ffmpeg_says_so_where_there_is_none(machine: Machine, speech: Speech, ggml: str) -> None:
    machine.put("whisper-cli", SAYS["whisper.cpp"])
    machine.put("whisper", SAYS["whisper"])
    transcriber = machine.transcriber(model=ggml)
    said = await failure(transcriber, speech)
    assert "whisper.cpp: it needs a WAV file with 16 kHz, and ffmpeg" in said
    assert " whisper: " not in said
    assert (await transcriber.transcribe(speech.silence, mime=WAV)).engine == "whisper.cpp"


async def test_silence_is_no_failure(machine: Machine, speech: Speech) -> None:
    machine.put("hear", "exit 0")
    machine.put("whisper-ctranslate2", SAYS["whisper-ctranslate2"])
    assert await transcribed(machine.transcriber(custom="hear {file}"), speech) == ("custom", "")


# --- what engines are given -------------------------------------------------------------------------------------------


async def test_a_custom_command_gets_its_values_as_words_of_their_own(machine: Machine, speech: Speech) -> None:
    machine.put("hear", 'for word in "$@"; do echo "[$word]"; done')
    template = "hear --model={model} -l {language} 'a b' '$(touch pwned); {other}' -- {file}"
    said = (await transcribed(machine.transcriber(custom=template, language="de x", model="m; exit"), speech))[1]
    words = said.splitlines()
    assert words[:-1] == ["[--model=m; exit]", "[-l]", "[de x]", "[a b]", "[$(touch pwned); {other}]", "[--]"]
    assert Path(words[-1].strip("[]")).is_absolute()
    said = (await transcribed(machine.transcriber(custom=template), speech))[1]
    assert said.splitlines()[:-1] == ["[a b]", "[$(touch pwned); {other}]", "[--]"]


@pytest.mark.parametrize(
    "name",
    [
        "no suffix",
        "voice.w;a",
        "long." + 100 * "x",
        "-x.wav",
        "--help.wav",
        "a; touch pwned.wav",
        "{model}.wav",
        "$(id).wav",
        "\n.wav",
    ],
)
async def test_no_name_of_a_file_is_taken_for_anything_else(machine: Machine, speech: Speech, name: str) -> None:
    file = machine.root / name
    file.write_bytes(speech.silence.read_bytes())
    machine.put("hear", 'echo "$@"')
    transcript = await machine.transcriber(custom="hear {file}", model="m").transcribe(file, mime=WAV)
    given = Path(transcript.text)
    assert (given.name, given.parent.parent) == ("speech.wav", machine.run_dir)


async def test_engines_see_no_secret_of_the_gateway(machine: Machine, speech: Speech) -> None:
    machine.environ |= {"OPENAI_API_KEY": "sk-secret", "SYGEN_API__TOKEN": "secret", "HF_HOME": "/cache", "OTHER": "x"}
    machine.put("hear", "env")
    said = (await transcribed(machine.transcriber(custom="hear {file}"), speech))[1]
    names = {line.partition("=")[0] for line in said.splitlines()}
    assert {"PATH", "HOME", "LANG", "HF_HOME"} <= names
    assert not names & {"OPENAI_API_KEY", "SYGEN_API__TOKEN", "OTHER"}


async def test_what_is_read_is_the_open_file_whatever_its_name_now_means(machine: Machine, speech: Speech) -> None:
    file = machine.root / "voice.wav"
    file.write_bytes(speech.silence.read_bytes())
    machine.put("hear", f'cat "$1" > "{machine.root}/got"')
    fd = os.open(file, os.O_RDONLY)
    try:
        os.read(fd, 100)
        file.unlink()
        file.symlink_to("/etc/passwd")
        await machine.transcriber(custom="hear {file}").transcribe(file, mime=WAV, fd=fd)
    finally:
        os.close(fd)
    assert (machine.root / "got").read_bytes() == speech.silence.read_bytes()


async def test_what_is_no_recording_is_refused_before_any_engine_is_asked(machine: Machine, speech: Speech) -> None:
    machine.put("hear", f"touch {machine.root}/asked")
    transcriber = machine.transcriber(custom="hear {file}", max_file_bytes=100_000)
    playlist, fifo, empty = (machine.root / name for name in ("list.wav", "fifo.wav", "empty.wav"))
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n")
    os.mkfifo(fifo)
    empty.touch()
    wrong: list[tuple[Path, str, type[RequestError]]] = [
        (playlist, WAV, NotARecording),
        (empty, WAV, NotARecording),
        (speech.silence, "text/plain", NotARecording),
        (fifo, WAV, NotFound),
        (machine.root, WAV, NotFound),
        (machine.root / "nowhere.wav", WAV, NotFound),
        (speech.files["wav"], WAV, RecordingTooLarge),
    ]
    for path, mime, error in wrong:
        with pytest.raises(error):
            await transcriber.transcribe(path, mime=mime)
    assert machine.left() == []
    assert not (machine.root / "asked").exists()


# --- what engines say -------------------------------------------------------------------------------------------------


async def test_nothing_in_a_transcript_steers_a_terminal(machine: Machine, speech: Speech) -> None:
    machine.put(
        "hear", r"printf '\033[31mred\033[0m\033]0;title\007 one\r\ntwo\tthree\000\b\302\233 four\342\200\256\377'"
    )
    said = (await transcribed(machine.transcriber(custom="hear {file}"), speech))[1]
    assert said == "red one\ntwo\tthree four\ufffd"


async def test_no_secret_and_no_path_is_in_what_is_said_about_a_failure(machine: Machine, speech: Speech) -> None:
    machine.environ |= {"OPENAI_API_KEY": "very-secret-value", "DB_PASSWORD": "hunter2hunter2"}
    machine.put(
        "hear", 'echo "cannot read $1 in /home/ada/x, key $3, https://ada:pass@host/v1/a, sk-abcdefgh1234" >&2; exit 1'
    )
    transcriber = machine.transcriber(
        custom="hear {file} --api-key topsecretkey", openai_base_url="http://127.0.0.1:1/v1"
    )
    said = await failure(transcriber, speech)
    assert "cannot read <path> in <path>, key ***, https://***@host/v1/a, ***" in said
    async with speech_api() as api:
        api.answer({"error": {"message": "Incorrect key very-secret-value and hunter2hunter2"}}, 401)
        said = await failure(machine.transcriber(openai_base_url=api.url), speech)
    assert "401: Incorrect key *** and ***" in said
    machine.put("hear", "head -c 3000000 /dev/zero | cat >&2; exit 1")
    assert len(await failure(machine.transcriber(custom="hear {file}"), speech)) < 600


# --- how much at once, and the end ------------------------------------------------------------------------------------


async def test_no_more_than_so_many_run_at_once(machine: Machine, speech: Speech) -> None:
    async with speech_api() as api, asyncio.TaskGroup() as tasks:
        api.gate.clear()
        transcriber = machine.transcriber(openai_base_url=api.url, max_parallel=2)
        asking = [tasks.create_task(transcribed(transcriber, speech)) for _ in range(5)]
        await until(lambda: api.at_once == 2)
        asking[0].cancel()  # its place is free for another one
        await until(lambda: len(api.requests) == 3)
        assert api.at_once <= 2
        api.gate.set()
        await asyncio.wait(asking)
        assert (len(api.requests), api.most_at_once) == (5, 2)


async def test_cancelling_ends_every_process_and_leaves_nothing(machine: Machine, speech: Speech) -> None:
    file = stubborn(machine)
    asking = asyncio.create_task(transcribed(machine.transcriber(custom="hear {file}"), speech))
    await until(lambda: len(pids(file)) == 2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not any(is_running(pid) for pid in pids(file))
    assert machine.left() == []


async def test_closing_ends_what_runs_and_refuses_what_comes(machine: Machine, speech: Speech) -> None:
    file = stubborn(machine)
    transcriber = machine.transcriber(custom="hear {file}")
    asking = asyncio.create_task(transcribed(transcriber, speech))
    await until(lambda: len(pids(file)) == 2)
    await transcriber.close()
    assert not any(is_running(pid) for pid in pids(file))
    for attempt in (asking, transcribed(transcriber, speech)):
        with pytest.raises(NoEngine, match="stops"):
            await attempt
    assert machine.left() == []


def test_what_a_crash_left_is_removed(machine: Machine) -> None:
    left, other = machine.run_dir / "transcription-x", machine.run_dir / "other"
    for folder in (left, other):
        folder.mkdir(parents=True)
        (folder / "speech.wav").touch()
    sweep_recordings(machine.run_dir)
    assert machine.left() == [other]


# --- what is told about engines ---------------------------------------------------------------------------------------


def test_engines_are_told_in_order_with_what_they_lack(machine: Machine, ggml: str) -> None:
    checks = machine.transcriber().engines()
    assert [check.name for check in checks] == NAMES
    assert not any(check.is_ready for check in checks)
    assert all(check.detail and check.remedy for check in checks)
    machine.environ["OPENAI_API_KEY"] = "sk-secret-secret"
    for name in ("whisper", "whisper-ctranslate2", "whisper-cpp", "ffmpeg", "hear"):
        machine.put(name, f"touch {machine.root}/started")
    checks = machine.transcriber(custom="hear --key abcdefgh {file}", models={"whisper.cpp": ggml}).engines()
    assert all(check.is_ready for check in checks)
    assert not any(secret in check.detail for check in checks for secret in ("secret", "abcdefgh"))
    assert not (machine.root / "started").exists()
    assert "ggml" in checks[-1].detail


@pytest.mark.parametrize("template", ["hear", "hear '{file}", "{file}", "nowhere {file}", "hear file"])
def test_a_custom_command_that_cannot_work_is_told(machine: Machine, template: str) -> None:
    machine.put("hear", "")
    check = machine.transcriber(custom=template).engines()[0]
    assert not check.is_ready
    assert check.remedy


def test_our_own_engine_is_told_with_its_model(machine: Machine) -> None:
    def check(**options: str) -> tuple[bool, str]:
        told = machine.transcriber(is_own_installed=True, **options).engines()[0]
        return told.is_ready, told.detail

    assert check() == (True, "faster-whisper, model base, downloaded at its first use")
    assert check(model=str(machine.root)) == (True, f"faster-whisper, model {machine.root}")
    assert not check(model="/nowhere")[0]
