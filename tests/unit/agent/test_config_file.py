"""The config as it is run: switches forced, order kept, name safe; and the cases it asks for."""

import json
from pathlib import Path
from typing import Any

import pytest

from goliat_monitoring.agent.config_file import cases_of, write_config
from goliat_monitoring.wire.agent import CaseRef, Job

FAR_FIELD: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["duke"],
    "frequencies_mhz": [700, "700+2450"],
    "far_field_setup": {"environmental": {"incident_directions": ["x_pos"], "polarizations": ["theta"]}},
    "execution_control": {"do_setup": True, "do_run": True, "do_extract": False},
}


def job(config: dict[str, Any], name: str = "my study", cases: list[CaseRef] | None = None) -> Job:
    run_id = "01890a5d-ac96-774b-bcce-b302099a8057"
    return Job(run_id, "fence", "a1", "s1", name, 3, 1, config, cases or [], 600.0)


def test_the_switches_are_forced_and_the_order_is_kept(tmp_path: Path) -> None:
    config = {"z": 1, "use_web": False, "use_gui": False, "a": {"y": 1, "b": [2]}, "study_type": "far_field"}
    path = write_config(tmp_path, job(config))
    written = json.loads(path.read_text())
    assert written == {**config, "use_gui": True, "use_web": True}
    assert list(written) == list(config)
    assert path == tmp_path / "configs" / "my_study_3_099a8057.json"


def test_missing_switches_are_added_and_extends_stays(tmp_path: Path) -> None:
    written = json.loads(write_config(tmp_path, job({"extends": "base", "phantoms": ["duke"]})).read_text())
    assert written == {"extends": "base", "phantoms": ["duke"], "use_gui": True, "use_web": True}


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c", "..", "CON?<>|", "ünïcödé" * 40, ""])
def test_the_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    path = write_config(tmp_path, job({}, name))
    assert path.parent == tmp_path / "configs"
    assert path.name.isascii()
    assert len(path.name) < 120


def test_cases_are_learned_with_the_parents_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "base.json").write_text(json.dumps(FAR_FIELD))
    item, folders = cases_of(tmp_path, job({"extends": "base", "frequencies_mhz": [700]}))
    assert item is not None
    assert [case.relative_path for case in item.cases] == ["far_field/duke/700MHz/environmental_x_pos_theta"]
    assert item.phases == {"do_setup": True, "do_run": True, "do_extract": False, "only_write_input": False}
    assert folders is not None
    assert "far_field/duke/700mhz/environmental_x_pos_theta" in folders


def test_goliats_own_defaults_are_parents_too(tmp_path: Path) -> None:
    defaults = tmp_path / "goliat" / "config" / "defaults"
    defaults.mkdir(parents=True)
    (defaults / "far_field.json").write_text(json.dumps(FAR_FIELD))
    item, _ = cases_of(tmp_path, job({"extends": "far_field.json"}))
    assert item is not None
    assert len(item.cases) == 2


def test_a_parent_outside_the_project_is_not_read(tmp_path: Path) -> None:
    workdir = tmp_path / "project"
    workdir.mkdir()
    (tmp_path / "secret.json").write_text(json.dumps(FAR_FIELD))
    assert cases_of(workdir, job({"extends": "../secret.json"})) == (None, None)


def test_cases_that_the_server_knows_are_not_told_again(tmp_path: Path) -> None:
    known = [CaseRef("k", "far_field/duke/700MHz/environmental_x_pos_theta")]
    item, folders = cases_of(tmp_path, job({"extends": "missing"}, cases=known))
    assert item is None
    assert folders == {"far_field/duke/700mhz/environmental_x_pos_theta"}


def test_the_folders_of_each_tone_belong_to_a_multisine_case(tmp_path: Path) -> None:
    _, folders = cases_of(tmp_path, job(FAR_FIELD))
    assert folders is not None
    assert "far_field/duke/2450mhz/environmental_x_pos_theta" in folders
