"""The distribution's Chromium: Playwright cannot be relied on to bring its own."""

import os

# The first is made for tests; `tools/system-packages` installs what there is.
_KNOWN = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(os.path.exists, _KNOWN), _KNOWN[-1])
