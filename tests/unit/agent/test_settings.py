"""The command line of GOLIAT, and where things are by default."""

from pathlib import Path

import pytest

from goliat_monitoring.agent.settings import default_state_dir, parse_command


@pytest.mark.parametrize(
    ("text", "windows", "words"),
    [
        ("goliat", False, ["goliat"]),
        ("/opt/my\\ env/bin/python -m cli", False, ["/opt/my env/bin/python", "-m", "cli"]),
        ("'/opt/my env/bin/python' -m cli", False, ["/opt/my env/bin/python", "-m", "cli"]),
        (r"C:\env\Scripts\goliat.exe", True, [r"C:\env\Scripts\goliat.exe"]),
        (r'"C:\Program Files\env\python.exe" -m cli', True, [r"C:\Program Files\env\python.exe", "-m", "cli"]),
    ],
)
def test_a_command_is_split_as_its_system_does(text: str, windows: bool, words: list[str]) -> None:
    assert parse_command(text, windows=windows) == words


@pytest.mark.parametrize("text", ["", "  ", "'unclosed"])
def test_no_command_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|quotation"):
        parse_command(text, windows=False)


def test_the_state_dir_is_the_users_own() -> None:
    assert default_state_dir({"XDG_STATE_HOME": "/x", "LOCALAPPDATA": "/x"}) == Path("/x/goliat-monitoring/agent")
