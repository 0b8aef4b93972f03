"""What an ACP agent offers for its session: models and modes, under the names that the protocol has had for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

_UNASKING: Final = re.compile(r"yolo|auto|bypass|accept|dont.?ask|full|unrestricted|chat", re.IGNORECASE)
_ASKING: Final = re.compile(r"default|ask|approve|manual|normal|build|read.?only", re.IGNORECASE)


def uses_tools_unasked(mode_id: str) -> bool:
    """Whether a mode is, by its name, one in which the agent does not ask before it uses a tool."""
    return _UNASKING.search(mode_id) is not None


@dataclass(frozen=True, slots=True)
class Offer:
    """Models and modes by their ids, the current ones, and the option that changes the model where it is one.

    `mode_names`: what the modes are called for people.
    """

    models: tuple[str, ...] = ()
    model: str | None = None
    model_option: str | None = None
    mode: str | None = None
    mode_names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Mapping[str, Any]) -> Self:
        """From the answer to `session/new` or `session/load`."""
        models, model, option = _models(session)
        match session.get("modes"):
            case {"currentModeId": str(mode), "availableModes": list(available)}:
                names = {
                    each["id"]: each["name"]
                    for each in available
                    if isinstance(each, dict) and isinstance(each.get("id"), str) and isinstance(each.get("name"), str)
                }
                return cls(models, model, option, mode, names)
            case _:
                return cls(models, model, option)

    @property
    def asking_mode(self) -> str | None:
        """The mode to be in: the current one, or another if the agent would not ask in that; None if it offers none that asks."""
        if self.mode is None or not uses_tools_unasked(self.mode):
            return self.mode
        return next((mode for mode in self.mode_names if _ASKING.search(mode) and not uses_tools_unasked(mode)), None)

    def set_model(self, session_id: str, model: str) -> tuple[str, dict[str, str]] | None:
        """The method and the parameters that choose `model`; None if the agent offers no such choice."""
        if self.model_option is not None:
            return "session/set_config_option", {"sessionId": session_id, "configId": self.model_option, "value": model}
        if self.models:
            return "session/set_model", {"sessionId": session_id, "modelId": model}
        return None


def _models(session: Mapping[str, Any]) -> tuple[tuple[str, ...], str | None, str | None]:
    options = session.get("configOptions")
    for option in options if isinstance(options, list) else []:
        match option:
            case {"id": str(option_id), "category": "model", "currentValue": str(current), "options": list(values)}:
                return tuple(_values(values)), current, option_id
            case _:
                pass
    match session.get("models"):
        case {"availableModels": list(available), "currentModelId": str(current)}:
            known = (each.get("modelId") for each in available if isinstance(each, dict))
            return tuple(each for each in known if isinstance(each, str)), current, None
        case _:
            return (), None, None


def _values(options: list[Any]) -> Iterator[str]:
    for option in options:
        match option:
            case {"value": str(value)}:
                yield value
            case {"options": list(group)}:
                yield from _values(group)
            case _:
                pass
