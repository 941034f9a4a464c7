"""Names of super studies and the paths that workers send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.study.names import MAX_NAME, NameProblem, check_study_name, next_free_name
from goliat_monitoring.study.paths import PathProblem, clean_file_name, clean_relative_path


@pytest.mark.parametrize("name", ["study", "  Étude ü 5G  ", "研究", "a.b-c_d (2)", "COM", "console", "x" * 120])
def test_accepts_names_of_any_script(name: str) -> None:
    assert check_study_name(name) == name.strip()


@pytest.mark.parametrize(
    "name",
    ["", "  ", ".", "..", ".hidden", "dot.", "a/b", "a\\b", "a:b", 'a"b', "a?", "a*", "<a>", "a|b", "a\x00", "a\nb",
     "CON", "nul.txt", "Lpt1", "COM¹", "aux .x", "x" * 121, "語" * 100, "safe\u202egpj.exe", "\ud800"],
)  # fmt: skip
def test_refuses_names_that_no_file_could_have(name: str) -> None:
    with pytest.raises(NameProblem, match="name"):
        check_study_name(name)


def test_composed_and_decomposed_names_are_one() -> None:
    assert check_study_name("e\u0301tude") == check_study_name("\u00e9tude")


@pytest.mark.parametrize(
    ("name", "taken", "free"),
    [
        ("study", [], "study"),
        ("study", ["other"], "study"),
        ("study", ["STUDY"], "study-2"),
        ("study", ["study", "Study-2", "study-4"], "study-3"),
        ("x" * 120, ["x" * 120], "x" * 118 + "-2"),
    ],
)
def test_next_free_name(name: str, taken: list[str], free: str) -> None:
    assert next_free_name(name, taken) == free


@given(st.text(max_size=130), st.lists(st.text(max_size=5), max_size=5))
def test_a_free_name_of_a_valid_name_is_valid_and_free(name: str, others: list[str]) -> None:
    try:
        clean = check_study_name(name)
    except NameProblem:
        return
    free = next_free_name(clean, [*others, clean])
    assert len(free) <= MAX_NAME
    assert free.casefold() not in {other.casefold() for other in (*others, clean)}


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("", ""),
        ("far_field/thelonious/700MHz/environmental_x_pos_theta",) * 2,
        ("near_field\\duke\\700MHz\\by_belly_up_vertical", "near_field/duke/700MHz/by_belly_up_vertical"),
        ("./a//b/./c/", "a/b/c"),
        ("a b/é+ü", "a b/é+ü"),
        ("700+2450MHz", "700+2450MHz"),
    ],
)
def test_clean_relative_path(path: str, clean: str) -> None:
    assert clean_relative_path(path) == clean


@pytest.mark.parametrize(
    "path",
    ["..", "../a", "..\\far_field\\duke", "a/../../b", "/a", "\\a", "//host/share", "\\\\host\\share", "C:\\a", "c:a",
     "a/C:/b", "a\x00b", "a/\x1f", "a/con/b", "a/NUL.json", "a./b", "a /b", "a/...", "a/. ./b", "a:stream", "a?b",
     "x" * 1001, "x" * 256, "a\u2028b", "\ud800"],
)  # fmt: skip
def test_refuses_paths(path: str) -> None:
    with pytest.raises(PathProblem):
        clean_relative_path(path)


@pytest.mark.parametrize("name", ["a b.json", "é.txt", "sar_results.json", ".hidden", "Disk_I_O.jpg"])
def test_file_names(name: str) -> None:
    assert clean_file_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "Disk_I/O.jpg", "x.", "x ", "PRN", "a\n", "C:x"])
def test_refuses_file_names(name: str) -> None:
    with pytest.raises(PathProblem):
        clean_file_name(name)


_pieces = st.sampled_from(["..", ".", "", "/", "\\", "a", "C:", "con", " ", "\x00", "...", "é", "x.", "\u2215"])


@given(st.one_of(st.text(max_size=40), st.lists(_pieces, max_size=12).map("".join)))
def test_a_clean_path_never_leaves_its_folder(path: str) -> None:
    try:
        clean = clean_relative_path(path)
    except PathProblem:
        return
    assert not clean.startswith(("/", "\\"))
    assert "\\" not in clean
    assert ":" not in clean
    assert all(segment not in ("", ".", "..") for segment in clean.split("/") if clean)
    assert clean_relative_path(clean) == clean
