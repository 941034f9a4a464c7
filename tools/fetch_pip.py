"""Fetch pip's wheel from the package index with the standard library alone, checked against the index's SHA-256.

For a Python that has neither `ensurepip` nor `pip`, as Debian's without `python3-venv`.
"""

import hashlib
import os
import re
import sys
import urllib.request
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

WHEEL = re.compile(r'href="([^"]*/pip-(\d+(?:\.\d+)+)-py3-none-any\.whl#sha256=([0-9a-f]{64}))"')


def read(url: str) -> bytes:
    """The body behind a web address."""
    if urlsplit(url).scheme not in ("https", "http"):
        raise SystemExit(f"not a web address: {url}")
    # The page as HTML: every index serves it, not every one serves JSON.
    request = urllib.request.Request(url, headers={"Accept": "text/html"})  # noqa: S310 -- scheme checked above
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- scheme checked above
        return bytes(answer.read())


def main(target: Path) -> None:
    """Store the newest pip wheel of the index as `target`."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    wheels = WHEEL.findall(read(index).decode())
    if not wheels:
        raise SystemExit(f"no pip at {index}")
    link, _, digest = max(wheels, key=lambda found: [int(part) for part in found[1].split(".")])
    body = read(urljoin(index, unescape(link)))
    if hashlib.sha256(body).hexdigest() != digest:
        raise SystemExit(f"{link}: the file is not what the index promised")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
