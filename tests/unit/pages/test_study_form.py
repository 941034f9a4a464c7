"""The form of a new study: a refusal stands at the field that it is about."""

from goliat_monitoring.server.pages.study_form import Parent, StudyForm
from goliat_monitoring.wire.errors import Refused


def test_a_problem_of_a_file_stands_at_that_file() -> None:
    def told(file: str) -> StudyForm:
        form = StudyForm(config_name="child.json", config="{}", parents=[Parent("base", "{}")])
        form.refused(Refused(400, "the config cannot be used", "It is wrong.", {"file": file, "key": "phantoms"}))
        return form

    text = "It is wrong. (key phantoms)"
    for file in ("", "child.json"):
        assert told(file).problems == {"config": text}
    assert told("base.json").parents[0].problem == text
    assert told("base.json").problems == {}
    assert told("of_the_library.json").problems == {"parents": text}
