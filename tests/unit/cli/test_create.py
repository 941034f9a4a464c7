"""`study create`: what it sends, what a preview shows, and how refusals read."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_commands import CONFIG, STUDY_ID, Server, call, server

__all__ = ["server"]
TWO = CONFIG | {"frequencies_mhz": [700, 2450]}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A project folder with a config whose parent lies in `configs`."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "base.json").write_text(json.dumps(TWO))
    child = tmp_path / "child.json"
    child.write_text(json.dumps({"extends": "base", "run_tag": "t"}))
    return child


def test_a_split_is_left_to_the_server_and_the_config_is_resolved(server: Server, config: Path) -> None:
    server.say("POST", "/api/super-studies", {"id": STUDY_ID, "name": "trial"})
    options = ["--name", "trial", "--configs-dir", str(config.parent / "configs")]
    more = ["--split-by", "custom", "--frequency-groups", "2450;700", "--priority", "5"]
    result = call(
        server, "study", "create", str(config), *options, *more, "--requires", "vram>=24", "--requires", "tag=fast"
    )
    assert result.exit_code == 0, result.stderr
    assert "2 assignments, 4 simulations, on machines with vram>=24, tag=fast" in result.stdout
    sent = server.asked[0][2]
    assert sent["baseConfig"] == TWO | {"run_tag": "t"}
    assert "assignments" not in sent
    assert sent["split"] == {"by": "custom", "numSplits": None, "frequencyGroups": "2450;700"}
    assert (sent["priority"], sent["requirements"]) == (5, ["vram>=24", "tag=fast"])


def test_what_the_server_says_about_a_split_is_shown(server: Server, config: Path) -> None:
    said = "The longest assignment takes \x1b[31m2.9 times the mean."
    server.say("POST", "/api/super-studies", {"id": STUDY_ID, "name": "trial", "warnings": [said]})
    options = ["--name", "trial", "--configs-dir", str(config.parent / "configs"), "--split-by", "frequency"]
    result = call(server, "study", "create", str(config), *options)
    assert result.exit_code == 0, result.stderr
    assert "Note: The longest assignment takes" in result.stderr
    assert "\x1b" not in result.stderr


def preview(server: Server, config: Path, *options: str) -> Any:
    result = call(
        server, "study", "create", str(config), "--configs-dir", str(config.parent / "configs"), "--preview", *options
    )
    assert result.exit_code == 0, result.stderr
    assert bool(server.asked) is ("--present-fleet" in options)
    return json.loads(result.stdout) if "--json" in options else result.stdout


def test_a_preview_as_json_asks_no_server(server: Server, config: Path) -> None:
    shown = preview(server, config, "--split-by", "freq_x_pol", "--json", "--fleet", "2x RTX 4090 @0.5")
    assert [it["label"] for it in shown["assignments"]] == ["700 MHz", "2450 MHz"]
    assert shown["totalSimulations"] == 4
    assert shown["exactCover"] is True
    assert len(shown["fleet"]["machines"]) == 2
    assert shown["fleet"]["euro"] > 0


def test_a_preview_as_a_table(server: Server, config: Path) -> None:
    text = preview(server, config, "--split-by", "balanced", "--num-splits", "2", "--price", "0.5")
    assert "longest first" in text
    assert "4 simulations, each in exactly one assignment" in text
    assert "RTX 4090" in text
    assert "2 machines: done after" in text
    assert "1 assignment, study order." in preview(server, config)


def test_a_number_of_parts_means_auto_and_groups_mean_custom(server: Server, config: Path) -> None:
    shown = preview(server, config, "--num-splits", "2", "--json")
    assert (shown["splitBy"], len(shown["assignments"])) == ("auto", 2)
    shown = preview(server, config, "--frequency-groups", "2450;700", "--json")
    assert [it["label"] for it in shown["assignments"]] == ["2450 MHz", "700 MHz"]


def test_a_hypothetical_fleet_has_its_price(server: Server, config: Path) -> None:
    options = ("--split-by", "balanced", "--num-splits", "2", "--fleet", "2x RTX 4090", "--price", "0.45")
    assert " euro, " in preview(server, config, *options)


@pytest.mark.parametrize(
    "options", [("--priority", "99999"), ("--price", "inf"), ("--price", "1e308"), ("--price", "nan")]
)
def test_what_the_server_would_not_take_is_refused_by_a_preview(
    server: Server, config: Path, options: tuple[str, str]
) -> None:
    result = call(server, "study", "create", str(config), "--preview", *options)
    assert result.exit_code == 2
    assert "should be less than or equal to" in result.stderr


def test_a_preview_can_ask_when_the_present_fleet_would_be_done(server: Server, config: Path) -> None:
    foreseen = {
        "workers": 2,
        "finishS": {"p10": 3600, "p50": 5400, "p90": 9000},
        "gpuHours": 3,
        "cost": {"p10": 1, "p50": 1.5, "p90": 2.5},
    }
    server.say("POST", "/api/super-studies/preview", {"presentFleet": foreseen})
    options = ("--present-fleet", "--split-by", "phantom", "--requires", "vram>=24", "--priority", "3")
    assert "2 workers of now: done after 1.50 hours, likely 1.00 to 2.50" in preview(server, config, *options)
    sent = server.asked[-1][2]
    assert (sent["presentFleet"], sent["priority"], sent["requirements"]) == (True, 3, ["vram>=24"])
    assert sent["split"]["by"] == "phantom"
    assert preview(server, config, *options, "--json")["presentFleet"] == foreseen
    server.say("POST", "/api/super-studies/preview", {"presentFleet": foreseen | {"finishS": None}})
    assert "No worker that is there now may take it." in preview(server, config, *options)


def test_a_preview_shows_notes(server: Server, config: Path) -> None:
    config.write_text(json.dumps({"extends": "base", "use_web": False}))
    assert "Note: use_web was off" in preview(server, config, "--split-by", "phantom")
    server.say("POST", "/api/super-studies", {"id": STUDY_ID, "name": "trial"})
    result = call(
        server, "study", "create", str(config), "--configs-dir", str(config.parent / "configs"), "--name", "trial"
    )
    assert "use_web was off" in result.stderr
    assert server.asked[0][2]["assignments"][0]["splitConfig"]["use_web"] is True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split-by", "direction"], "combines all directions"),
        (["--split-by", "auto", "--num-splits", "7"], "nearest numbers that can be met: 4"),
        (["--split-by", "scenario"], "near-field"),
        (["--split-by", "custom", "--frequency-groups", "700,x"], "cannot be read"),
        (["--split-by", "custom"], "needs frequency groups"),
        (["--num-splits", "7"], "nearest numbers that can be met: 4"),
        (["--frequency-groups", "700"], "in no group"),
        (["--fleet", "8 RTX 4090", "--preview"], "'8x RTX 4090', or"),
        (["--assignments", "x.json", "--num-splits", "2"], "not split"),
        (["--assignments", "x.json", "--frequency-groups", "700"], "not split"),
        (["--requires", "ram>64"], "vram>=24"),
        (["--fleet", "@1", "--preview"], "no part of a fleet"),
        (["--fleet", "H100"], "add --preview"),
        (["--price", "0"], "add --preview"),
        (["--present-fleet"], "add --preview"),
        (["--assignments", "x.json", "--split-by", "auto"], "not split"),
        (["--configs-dir", "/nowhere/at/all"], "is no folder"),
        ([], "needs a name"),
    ],
)
def test_refusals_are_one_line(server: Server, config: Path, options: list[str], said: str) -> None:
    if said != "needs a name":
        options = ["--name", "x", *options]
    (config.parent / "configs" / "base.json").write_text(json.dumps(TWO | {"auto_induced": {"enabled": True}}))
    folder = [] if "--configs-dir" in options else ["--configs-dir", str(config.parent / "configs")]
    result = call(server, "study", "create", str(config), *folder, *options)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not server.asked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"frequencies_mhz": [NaN]}', "child.json is no JSON: NaN is no number"),
        ('{"x": -Infinity}', "child.json is no JSON: -Infinity is no number"),
        ('{"a":' * 900 + "1" + "}" * 900, "more than 100 levels"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, "is no JSON"),
        ('{"extends": "wrong"}', "Write it as a list of names. It comes from wrong.json."),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_used_is_one_line(server: Server, config: Path, text: str, said: str) -> None:
    config.write_text(text)
    (config.parent / "configs" / "wrong.json").write_text(json.dumps(TWO | {"phantoms": {"a": 1}}))
    folder = str(config.parent / "configs")
    result = call(server, "study", "create", str(config), "--configs-dir", folder, "--preview")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert said in result.stderr


def test_a_missing_parent_is_named_with_the_folder_that_was_searched(server: Server, config: Path) -> None:
    (config.parent / "configs" / "base.json").unlink()
    # Beside the child is not where GOLIAT looks.
    (config.parent / "base.json").write_text(json.dumps(TWO))
    folder = config.parent / "configs"
    result = call(server, "study", "create", str(config), "--name", "x", "--configs-dir", str(folder))
    assert result.exit_code == 1
    assert "'base.json' (extended by the config) is missing" in result.stderr
    assert f"looked up in {folder}" in result.stderr
    assert "config library has none of that name either" in result.stderr
    server.asked.clear()
    defaults = config.parent / "goliat" / "config" / "defaults"
    defaults.mkdir(parents=True)
    (defaults / "base.json").write_text(json.dumps(TWO))
    assert preview(server, config, "--json")["totalSimulations"] == 4


def test_a_parent_that_is_not_here_is_taken_from_the_servers_library(server: Server, config: Path) -> None:
    folder = config.parent / "configs"
    (folder / "base.json").unlink()
    server.say("GET", "/api/configs/configs/base.json", {"name": "configs/base.json", "version": 3, "config": TWO})
    server.say("POST", "/api/super-studies", {"id": STUDY_ID, "name": "trial"})
    command = ("study", "create", str(config), "--configs-dir", str(folder))
    result = call(server, *command, "--name", "trial")
    assert result.exit_code == 0, result.stderr
    assert "version 3 of the server's library was taken" in result.stderr
    assert server.asked[-1][2]["baseConfig"] == TWO | {"run_tag": "t"}
    asked = len(server.asked)
    assert "is missing" in call(server, *command, "--preview").stderr
    assert len(server.asked) == asked

    # Another answer than "there is none" is no answer.
    server.say("GET", "/api/configs/base.json", {"error": "a token is needed", "details": ""}, 401)
    assert "a token is needed" in call(server, *command, "--name", "trial").stderr


def test_a_name_that_is_taken_offers_the_next(server: Server, config: Path) -> None:
    answer = {"error": "a super study named 'x' exists", "details": "use another name, such as 'x-2'", "free": "x-2"}
    server.say("POST", "/api/super-studies", answer, 409)
    result = call(
        server, "study", "create", str(config), "--name", "x", "--configs-dir", str(config.parent / "configs")
    )
    assert result.exit_code == 1
    assert "'x-2'" in result.stderr


def test_ready_made_assignments_are_resolved_too(server: Server, config: Path) -> None:
    parts = config.parent / "parts.json"
    parts.write_text(json.dumps([{"extends": "base", "phantoms": ["duke"]}, {"extends": "base", "phantoms": ["ella"]}]))
    server.say("POST", "/api/super-studies", {"id": STUDY_ID, "name": "trial"})
    folder = str(config.parent / "configs")
    options = ["--name", "trial", "--assignments", str(parts), "--configs-dir", folder]
    assert call(server, "study", "create", str(config), *options).exit_code == 0
    sent = [it["splitConfig"] for it in server.asked[0][2]["assignments"]]
    assert sent == [TWO | {"phantoms": ["duke"]}, TWO | {"phantoms": ["ella"]}]


def test_ready_made_assignments_have_a_preview_too(server: Server, config: Path) -> None:
    parts = config.parent / "parts.json"
    parts.write_text(json.dumps([{"extends": "base", "phantoms": ["duke"]}, {"extends": "base", "phantoms": ["duke"]}]))
    shown = preview(server, config, "--assignments", str(parts), "--fleet", "RTX 4090", "--json")
    assert [(it["label"], it["simulations"]) for it in shown["assignments"]] == [("duke", 2), ("duke", 2)]
    assert shown["exactCover"] is False
    assert "do not cover" in " ".join(shown["warnings"])
    assert server.asked == []
