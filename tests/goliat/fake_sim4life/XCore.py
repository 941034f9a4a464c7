"""Stands in for Sim4Life's XCore: any attribute is there, none does anything."""

from typing import Any
from unittest.mock import MagicMock


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return MagicMock()
