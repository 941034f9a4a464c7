"""The form of a new study: what was typed and uploaded, as the API's request, and which field each problem belongs to.

All configs travel as text in the form itself, so that the page works without a script: an uploaded file becomes the
text of a field, which comes back with the answer and can be looked at and changed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar.datastructures import UploadFile
from litestar.datastructures.multi_dicts import FormMultiDict

from goliat_monitoring.server.api.split_shapes import PreviewWish, SplitWish
from goliat_monitoring.store.library import MAX_BYTES, config_name, config_text
from goliat_monitoring.study.extends import parent_file_name
from goliat_monitoring.study.requirements import RequirementProblem, parse
from goliat_monitoring.wire.errors import Refused

MOST_PARENTS = 40
TEXTS = ("config_name", "config", "by", "number", "groups", "name", "description", "priority", "requirements", "price")
# What a person chooses among: key, word, what it makes; short, for a field shows one line of it.
SPLITS = (
    ("balanced", "Balanced", "keeps N workers busy"),
    ("auto", "Auto", "N parts"),
    ("phantom", "By phantom", "a part each"),
    ("frequency", "By frequency", "or antenna, a part each"),
    ("custom", "Frequency groups", "those you write"),
    ("direction", "By direction", "a part each"),
    ("polarization", "By polarization", "a part each"),
    ("freq_x_pol", "By frequency and polarization", "each pair"),
    ("scenario", "By scenario", "and orientation"),
    ("", "Not at all", "one part"),
)


@dataclass
class Parent:
    """A config that the study's config extends, directly or not."""

    name: str
    text: str
    problem: str = ""


@dataclass
class StudyForm:
    """What the form holds, as text. `problems`: by field, what is wrong; `offers`: by field, values that would work."""

    config_name: str = ""
    config: str = ""
    parents: list[Parent] = field(default_factory=list)
    by: str = "balanced"
    number: str = ""
    groups: str = ""
    name: str = ""
    description: str = ""
    priority: str = "0"
    requirements: str = ""
    price: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    offers: dict[str, list[str]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is no config yet."""
        return not self.config.strip()

    def wish(self) -> PreviewWish | None:
        """The request that the form makes; None where something cannot be read, which `problems` then says."""
        base = self._object("config", self.config_name or "The config", self.config)
        parents = {}
        for parent in self.parents:
            if not parent.name.strip() and not parent.text.strip():
                continue
            try:
                name = config_name(parent.name)
                config_text(name, parent.text.encode(errors="replace"))
                parents[name] = msgspec.json.decode(parent.text)
            except Refused as refused:
                parent.problem = _sentence(refused, parent.text)
        number = self._number("number", whole=True)
        priority, price = self._number("priority", whole=True), self._number("price")
        texts = [text.strip() for text in self.requirements.split(",") if text.strip()]
        try:
            parse(texts)
        except RequirementProblem as problem:
            self.problems["requirements"] = str(problem)
        if priority is not None and not -1000 <= priority <= 1000:
            self.problems["priority"] = "The priority lies between -1000 and 1000."
        if price is not None and not 0 <= price <= 1e6:
            self.problems["price"] = "The price of an hour is not negative."
        if self.by == "custom" and not self.groups.strip():
            self.problems["groups"] = "Write the groups: 5800;3500,2140;450."
        if base is None or self.problems or any(parent.problem for parent in self.parents):
            return None
        split = SplitWish(
            by=self.by,
            num_splits=int(number) if number is not None and self.by in ("auto", "balanced") else None,
            frequency_groups=self.groups if self.by == "custom" else None,
        )
        return PreviewWish(
            base_config=base,
            config_name=self.config_name.strip(),
            parents=parents,
            split=split if self.by else None,
            priority=int(priority or 0),
            requirements=texts,
            price_per_hour=price,
            present_fleet=True,
        )

    def refused(self, refused: Refused) -> None:
        """Put a refusal of the request to the field that it is about."""
        extra, text = refused.extra, refused.details or refused.error
        if "free" in extra:
            self.problems["name"] = f"{refused.error[:1].upper()}{refused.error[1:]}."
            self.offers["name"] = [str(extra["free"])]
        elif refused.error.startswith("the study's name"):
            self.problems["name"] = text
        elif "instead" in extra:
            self.problems["split"] = text
            self.offers["by"] = _texts(extra.get("instead"))
            self.offers["number"] = _texts(extra.get("nearest"))
        elif "file" in extra:
            self._of_file(str(extra["file"]), str(extra.get("key", "")), text)
        else:
            self.problems["config"] = text

    def _of_file(self, file: str, key: str, text: str) -> None:
        where = f" (key {key})" if key and f"'{key}'" not in text else ""
        if file and file == self.config_name.strip():
            self.problems["config"] = text + where
            return
        for parent in self.parents:
            if file and parent.name.strip() and parent_file_name(parent.name) == file:
                parent.problem = text + where
                return
        self.problems["parents" if file else "config"] = text + where

    def _object(self, name: str, shown: str, text: str) -> dict[str, Any] | None:
        try:
            config_text(shown, text.encode(errors="replace"))
        except Refused as refused:
            self.problems[name] = _sentence(refused, text)
            return None
        found: dict[str, Any] = msgspec.json.decode(text)
        return found

    def _number(self, name: str, *, whole: bool = False) -> float | None:
        text = str(getattr(self, name)).strip()
        if not text:
            return None
        if not re.fullmatch(r"-?\d{1,9}" if whole else r"\d{1,9}([.,]\d{1,6})?", text):
            self.problems[name] = f"{text!r:.40} is no {'whole ' if whole else ''}number."
            return None
        return float(text.replace(",", "."))


async def read_study_form(data: FormMultiDict) -> StudyForm:
    """The form as it was sent; uploaded files become texts. Raises `Refused` 413 for more than it takes."""
    form = StudyForm()
    for name in TEXTS:
        setattr(form, name, _typed(data.get(name, getattr(form, name))))
    names, texts = data.getall("parent_name", []), data.getall("parent_text", [])
    form.parents = [Parent(_typed(name), _typed(text)) for name, text in zip(names, texts, strict=False)]
    for file in data.getall("config_file", []):
        if isinstance(file, UploadFile) and file.filename:
            form.config_name, form.config = file.filename, await _text(file)
    for file in data.getall("parent_files", []):
        if isinstance(file, UploadFile) and file.filename:
            form.parents = [it for it in form.parents if it.name != file.filename]
            form.parents.append(Parent(file.filename, await _text(file)))
    if len(form.parents) > MOST_PARENTS:
        raise Refused(413, "too many parents", f"at most {MOST_PARENTS} files are taken; GOLIAT's chains have three")
    if form.config_name and not form.name.strip():
        form.name = form.config_name.rpartition("/")[2].removesuffix(".json")
    return form


def _typed(value: object) -> str:
    """The text of a field; browsers send line ends as CR LF."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


async def _text(file: UploadFile) -> str:
    content = await file.read()
    if len(content) > MAX_BYTES:
        raise Refused(
            413, f"{file.filename} is too large", f"a config has at most {MAX_BYTES:,} bytes, this one {len(content):,}"
        )
    return content.decode("utf-8-sig", errors="replace")


def _sentence(refused: Refused, text: str) -> str:
    """A refusal of a config's text, with the line where it breaks."""
    found = re.search(r"\(byte (\d+)\)", refused.details)
    place = ""
    if found:
        before = text.encode(errors="replace")[: int(found[1])].decode(errors="replace")
        column = len(before) - (before.rfind("\n") + 1) + 1
        place = f" Line {before.count(chr(10)) + 1}, column {column}."
    error = refused.error[:1].upper() + refused.error[1:]
    return f"{error}: {refused.details.rstrip('.')}.{place}"


def _texts(found: object) -> list[str]:
    return [str(it) for it in found] if isinstance(found, list) else []


def shown_of(preview: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of a preview beside its own fields: balance, bars, and which GPU models."""
    weights = [part["weight"] for part in preview["assignments"]]
    longest, mean = max(weights), sum(weights) / len(weights)
    present = [it["gpu"] for it in preview["fleet"]["machines"] if it["gpu"]]
    models = list(dict.fromkeys(present)) or list(preview["hours"])
    return {
        "longest": longest,
        "ratio": longest / mean if mean else 1.0,
        "models": models[:MODELS_SHOWN],
        "bars": [100 * weight / longest if longest else 0 for weight in weights],
    }


MODELS_SHOWN = 6
