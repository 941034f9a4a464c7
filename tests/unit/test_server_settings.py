"""Settings of the server: all of them documented with their defaults, none taken when it is wrong."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from goliat_monitoring.server.jobs.retention import samples_kept, span
from goliat_monitoring.server.settings import PREFIX, Settings
from goliat_monitoring.wire.errors import Refused

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(rf"^\| `({PREFIX}[A-Z0-9_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
DAY = 86_400_000_000


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {name: default for name, default, _ in ROW.findall(DOCUMENT.read_text())}
    assert set(documented) == {PREFIX + option.name.upper() for option in fields(Settings)}
    for option in fields(Settings):
        told = documented[PREFIX + option.name.upper()].strip("`")
        if isinstance(option.default, bool):
            assert told == str(option.default).lower(), option.name
        elif isinstance(option.default, (int, float)):
            assert float(told) == option.default, option.name
        elif option.default in ("", ()):
            assert told == "none" or "data folder" in told, option.name
        elif option.default is not MISSING:
            assert told == option.default, option.name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KEEP_LOGS_D", "-1"),
        ("KEEP_RAW_SAMPLES_H", "a day"),
        ("KEEP_EVENTS_D", "nan"),
        ("WAL_LIMIT_MB", "inf"),
        ("RETENTION_INTERVAL_S", "0"),
        ("WATCH_INTERVAL_S", "-3"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        Settings.from_environment({PREFIX + name: text})
    assert name.lower() in refused.value.details.lower()


def test_nothing_and_zero_are_not_the_same() -> None:
    assert span(Settings.from_environment({f"{PREFIX}KEEP_LOGS_D": " "}).keep_logs_d) == 30 * DAY
    assert span(Settings.from_environment({f"{PREFIX}KEEP_LOGS_D": "0"}).keep_logs_d) is None
    kept = samples_kept(Settings.from_environment({f"{PREFIX}KEEP_SAMPLES_D": "0"}))
    assert (kept.raw, kept.minutes, kept.whole) == (DAY, 30 * DAY, None)
