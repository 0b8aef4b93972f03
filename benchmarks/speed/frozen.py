"""What the baseline is made of. A ratio against another baseline would be another ratio, so none is measured."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Final

BASELINE: Final = Path(__file__).with_name("baseline.py")
SHA256: Final = "52e4df57482d426d5cbd8bd7a23b307a671fc6ece7d639bd5960fac4b30103a1"
VERSIONS: Final = {"aiohttp": "3.14.5", "pynacl": "1.6.2"}


def changes() -> list[str]:
    """How what is here differs from what was frozen; nothing, if all is well."""
    changed = [
        f"{name} {found} is installed, the baseline is measured with {version}"
        for name, version in VERSIONS.items()
        if (found := importlib.metadata.version(name)) != version
    ]
    if hashlib.sha256(BASELINE.read_bytes()).hexdigest() != SHA256:
        changed.append("baseline.py is not the file that was frozen")
    return changed
