"""What the import rules in pyproject.toml cannot say: who may use which library, and what an import costs."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import sygen_bot
import sygen_bot.client

PACKAGE = Path(sygen_bot.__path__[0])
OWNERS = {
    "sqlalchemy": ("storage",),
    "alembic": ("storage",),
    "fastapi": ("api",),
    "starlette": ("api",),
    "uvicorn": ("api",),
    "nacl": ("api/crypto.py",),
    "websockets": ("api", "client"),
    "typer": ("cli",),
    "prompt_toolkit": ("cli",),
    "claude_agent_sdk": ("providers",),
    "xllamacpp": ("providers",),
    "PIL": ("files/image_worker.py",),
    "faster_whisper": ("transcription/faster_whisper.py",),
    "python_multipart": ("api/multipart.py",),
    "jinja2": ("automation/templates.py",),
    "cronsim": ("automation/schedule.py",),
}
"""Libraries that belong to one part of the house. Nobody else imports them, at the top or inside a function."""


def imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return names


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_used_only_where_it_belongs(library: str) -> None:
    homes = tuple(PACKAGE / home for home in OWNERS[library])
    strangers = [
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if not any(file == home or home in file.parents for home in homes)
        and any(name.partition(".")[0] == library for name in imports(ast.parse(file.read_text("utf-8"))))
    ]
    assert strangers == []


def loaded_by(*modules: str) -> set[str]:
    """The top-level packages that are loaded once `modules` are."""
    source = dedent(f"""
        import importlib, json, sys
        for name in {modules!r}:
            importlib.import_module(name)
        print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
    """)
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(said.stdout))


def test_the_sdk_loads_no_server_and_no_database() -> None:
    names = [module.name for module in pkgutil.iter_modules(sygen_bot.client.__path__, "sygen_bot.client.")]
    assert not loaded_by(*names) & {"fastapi", "uvicorn", "sqlalchemy", "alembic", "typer", "pydantic"}


def test_the_gateway_loads_no_agents_sdk_and_no_model_until_one_is_used() -> None:
    loaded = loaded_by("sygen_bot.orchestrator.lifecycle")
    assert not loaded & {
        "claude_agent_sdk",
        "mcp",
        "xllamacpp",
        "alembic",
        "psutil",
        "typer",
        "PIL",
        "filetype",
        "jinja2",
    }


def test_the_command_loads_no_server_until_it_serves() -> None:
    assert not loaded_by("sygen_bot.cli.app") & {"fastapi", "uvicorn", "sqlalchemy", "pydantic"}
