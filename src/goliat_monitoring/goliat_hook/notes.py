"""What the hook did and could not do, for whoever looks into it: a text file, written only when it is asked for."""

from __future__ import annotations

import os
import time
from pathlib import Path


def note(text: str) -> None:
    """Appends one line to the file that GOLIAT_MONITORING_HOOK_LOG names, if it does. Never raises."""
    target = os.environ.get("GOLIAT_MONITORING_HOOK_LOG")
    if not target:
        return
    try:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(f"{time.time():.3f} pid={os.getpid()} {text}\n")
    except OSError:
        pass
