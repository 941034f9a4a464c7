"""Where the files of the pages lie, and the mark of this build of them."""

import hashlib
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
STATIC = HERE / "static"
TEMPLATES = HERE / "templates"


def _build() -> str:
    digest = hashlib.sha256(version("goliat-monitoring").encode())
    for folder in (STATIC, TEMPLATES):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(HERE)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# Changes with the files, so that they may be cached for ever and an open page notices an upgrade.
BUILD = _build()
STATIC_URL = f"/static/{BUILD}"
