"""The documents tell everything that is there, and nothing that is not."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from sygen_bot import errors
from sygen_bot.api import protocol
from sygen_bot.api.crypto import E2ESession, agree, decode_key, encode_key, public_key
from sygen_bot.api.protocol import TURN_ENDING_CODES, HandshakeCode
from sygen_bot.config import CLIENT_VARIABLES, Settings, load_settings
from sygen_bot.orchestrator.lifecycle import running_gateway
from sygen_bot.paths import Paths

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
PROTOCOL, HTTP, CONFIG, ATTACKS = (
    (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("protocol", "http", "config", "attacks")
)
PLACEHOLDERS = {"agents": "<name>", "providers": "<id>"}


def named_in(document: str) -> set[str]:
    """What stands in backticks."""
    return set(re.findall(r"`([^`\n]+)`", document))


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> set[str]:
    """Every dotted key of the configuration, with a placeholder where people choose the name."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        sections = [part for part in (field.annotation, *get_args(field.annotation)) if is_section(part)]
        if not sections:
            names.add(prefix + name)
        for section in sections:
            names |= setting_names(
                section, f"{prefix}{name}." + (f"{PLACEHOLDERS[name]}." if name in PLACEHOLDERS else "")
            )
    return names


def is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def error_codes() -> set[str]:
    return {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.SygenError)
    }


def close_codes() -> set[int]:
    return {value for name, value in vars(protocol).items() if name.startswith("CLOSE_")}


@pytest.mark.parametrize("key", sorted(setting_names()))
def test_every_setting_is_documented(key: str) -> None:
    assert key in named_in(CONFIG)


def test_no_setting_is_documented_that_does_not_exist() -> None:
    sections = "|".join(sorted({key.partition(".")[0] for key in setting_names() if "." in key}))
    pattern = re.compile(rf"(?:{sections})\.(?:<\w+>\.|main\.)?\w+")
    for document in DOCUMENTS:
        for mention in named_in(document.read_text("utf-8")):
            if pattern.fullmatch(mention) and not mention.endswith(".py"):
                key = mention.replace("agents.main.", "agents.<name>.")
                assert key in setting_names(), f"{document.name}: {mention}"
    keys = {mention for mention in re.findall(r"^\| (`.+?`) \|", CONFIG, re.MULTILINE) for mention in named_in(mention)}
    assert keys - setting_names() == {"agents"}


def test_the_defaults_that_are_documented_are_the_real_ones() -> None:
    units = {"KiB": 1024, "MiB": 1024 * 1024}
    defaults: dict[str, Any] = {
        **{f"api.{name}": value for name, value in Settings().api.model_dump(mode="json").items()},
        **{f"session.{name}": value for name, value in Settings().session.model_dump(mode="json").items()},
    }
    rows = re.findall(r"^\| `((?:api|session)\.\w+)` \| (.+?) \|", CONFIG, re.MULTILINE)
    assert len(rows) > 15
    for key, told in rows:
        if told == "none":
            assert defaults[key] is None, key
        elif (size := re.fullmatch(r"(\d+) (KiB|MiB)", told)) is not None:
            assert defaults[key] == int(size[1]) * units[size[2]], key
        else:
            assert defaults[key] == json.loads(told.strip("`")), key


@pytest.mark.parametrize("variable", sorted(CLIENT_VARIABLES))
def test_every_variable_of_the_client_is_documented(variable: str) -> None:
    assert variable in named_in(CONFIG)


HTTP_ONLY = {"bad_request", "too_large", "unsupported_media", "transcription_failed"}


@pytest.mark.parametrize("code", sorted({*HTTP_ONLY, *error_codes(), *TURN_ENDING_CODES, *get_args(HandshakeCode)}))
def test_every_error_code_is_documented(code: str) -> None:
    assert code in named_in(
        CONFIG if code in {"config", "setup", "storage"} else HTTP if code in HTTP_ONLY else PROTOCOL
    )


def test_the_codes_that_end_a_turn_come_first_and_say_so() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ends a turn", PROTOCOL, re.MULTILINE)
    assert set(rows) == TURN_ENDING_CODES


@pytest.mark.parametrize("code", sorted(close_codes()))
def test_every_close_code_is_documented(code: int) -> None:
    assert re.search(rf"^\| (\d+, )?{code}(, \d+)? \|", PROTOCOL, re.MULTILINE)


def test_the_worked_example_is_right() -> None:
    example = dict(re.findall(r"^    (\w+ \w+|\w+) {2,}(\S+)", PROTOCOL.partition("### Example")[2], re.MULTILINE))
    secret = base64.b64decode(example["client secret"])
    assert encode_key(public_key(secret)) == example["client public"]
    assert encode_key(public_key(base64.b64decode(example["server secret"]))) == example["server public"]
    shared = agree(decode_key(example["server public"]), secret)
    assert encode_key(shared) == example["shared key"]
    session = E2ESession(role="client", shared_key=shared, nonces=lambda: base64.b64decode(example["nonce"]))
    assert session.seal(example["plaintext"].encode()).decode() == example["frame"]


def test_the_attacks_name_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", ATTACKS)
    assert len(named) == ATTACKS.count("\n|") - 2, "one for each attack"
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert test in {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }


def test_links_between_the_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_sections_that_the_code_refers_to_are_there() -> None:
    headings = re.findall(r"^#+ ([\d.]*\d)\.? ", PROTOCOL, re.MULTILINE)
    referred = {
        number
        for file in (ROOT / "sygen_bot").rglob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if "docs/protocol.md" in line
        for number in re.findall(r"\b\d(?:\.\d)?\b", line.partition("docs/protocol.md")[2])
    }
    assert referred <= set(headings)
    assert {"1", "5.6"} <= referred


async def test_the_client_in_the_protocol_document_works(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(PROTOCOL.partition("```python\n")[2].partition("```")[0])
    paths = Paths(tmp_path / "home")
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    async with running_gateway(load_settings(paths, overrides=overrides), paths, token="right") as gateway:
        url = gateway.url.replace("http", "ws") + "/ws"
        for token, text, told in (
            ("right", "SAY hello from the wire", "hello from the wire\n"),
            ("right", "NOSTREAM all at once", "all at once\n"),
            ("wrong", "SAY no", "The token or the key is not valid.\n"),
        ):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", str(tmp_path / "client.py"), url, token, text),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(), 30)
            assert output.decode() == told
