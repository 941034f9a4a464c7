"""The page on which a study is made: configs, split and name on one side, what they would give on the other."""

from functools import partial
from typing import Any

from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import ClientException, HTTPException
from litestar.params import FromQuery
from litestar.response import Redirect

from goliat_monitoring.server.api.super_studies import NewStudy, create
from goliat_monitoring.server.auth import Principal
from goliat_monitoring.server.pages.render import render
from goliat_monitoring.server.pages.show import HEADERS, server_of, still
from goliat_monitoring.server.pages.study_form import SPLITS, Parent, StudyForm, read_study_form, shown_of
from goliat_monitoring.server.planning import look_at, present
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.read.library import get_config, heads
from goliat_monitoring.store.studies import free_name
from goliat_monitoring.study.requirements import Requirements
from goliat_monitoring.wire.errors import Refused

# All configs of a form together.
FORM_LIMIT = 8 * 2**20
ROWS_SHOWN = 200


@get("/studies/new")
async def new_study(request: Request[Any, Any, Any], config: FromQuery[str] = "") -> Response[str]:
    """The empty form; with `config` that config of the library is in it."""
    services: Services = request.app.state.services
    there = await services.db.read(partial(present, now=services.clock(), demand=Requirements()))
    form = StudyForm(number=str(len(there)) if len(there) > 1 else "")
    if not config:
        return await _page(request, form)
    await _load(services, form, config)
    return await _page(request, form, await _look(services, form))


@post("/studies/new", status_code=200, request_max_body_size=FORM_LIMIT)
async def post_new_study(request: Request[Any, Any, Any]) -> Response[Any]:
    """Do what the button says: look again, load from the library, or create."""
    services: Services = request.app.state.services
    form, said = await _read(request)
    if said.get("load"):
        await _load(services, form, said["load"])
    elif said.get("do") == "parent":
        form.parents.append(Parent("", ""))
    for name in ("name", "by", "number"):
        if said.get(f"use_{name}"):
            setattr(form, name, said[f"use_{name}"])
    shown = await _look(services, form)
    if said.get("do") == "create" and shown is not None:
        if said.get("seen") != _seen(shown):
            form.problems["create"] = "The study is not what the last preview showed. Look at it, then create it."
        else:
            made = await _create(request, form)
            if made is not None:
                return Redirect(f"/studies/{made}", status_code=303)
    return await _page(request, form, shown)


@post("/fragments/studies/new", status_code=200, request_max_body_size=FORM_LIMIT)
async def preview_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """What the form would give, or what is wrong with it."""
    try:
        form, _ = await _read(request)
    except Refused as refused:
        form = StudyForm(problems={"config": f"{refused.error}: {refused.details}"})
        return _fragment(request, form, None, refused.status)
    return _fragment(request, form, await _look(request.app.state.services, form))


def _fragment(
    request: Request[Any, Any, Any], form: StudyForm, shown: dict[str, Any] | None, status: int = 200
) -> Response[str]:
    server = server_of(request)
    text = render("new_study_preview.html", form=form, preview=shown, rows=ROWS_SHOWN, server=server, alone=True)
    return Response(text, media_type=MediaType.HTML, headers=HEADERS, status_code=status)


async def _read(request: Request[Any, Any, Any]) -> tuple[StudyForm, dict[str, str]]:
    try:
        data = await request.form()
    except ClientException as problem:
        if problem.status_code == 413:
            raise Refused(413, "the configs are too large", f"all of them have at most {FORM_LIMIT:,} bytes") from None
        raise Refused(400, "the form cannot be read", problem.detail) from None
    except HTTPException as problem:
        raise Refused(problem.status_code, "the form cannot be read", problem.detail) from None
    names = ("do", "seen", "load", "use_name", "use_by", "use_number")
    said = {name: str(data[name]) for name in names if data.get(name)}
    if said.get("load") and "library" in data and said["load"] == "chosen":
        said["load"] = str(data["library"])
    return await read_study_form(data), said


async def _look(services: Services, form: StudyForm) -> dict[str, Any] | None:
    """The preview of what the form asks for; None where there is none, and the form's problems say why."""
    if form.empty and not form.parents:
        return None
    wish = form.wish()
    if form.name.strip():
        try:
            await services.db.read(partial(free_name, asked=form.name))
        except Refused as refused:
            form.refused(refused)
    if wish is None:
        return None
    try:
        shown = await look_at(services, wish)
    except Refused as refused:
        form.refused(refused)
        return None
    return {**shown, **shown_of(shown), "seen": _seen(shown)}


def _seen(preview: dict[str, Any]) -> str:
    """What a person saw: so many assignments and simulations."""
    return f"{len(preview['assignments'])} {preview['totalSimulations']}"


async def _create(request: Request[Any, Any, Any], form: StudyForm) -> str | None:
    principal: Principal = request.scope["state"]["principal"]
    wish = form.wish()
    if wish is None:
        return None
    study = NewStudy(
        name=form.name,
        description=form.description.strip(),
        base_config=wish.base_config,
        config_name=wish.config_name,
        parents=wish.parents,
        split=wish.split,
        priority=wish.priority,
        requirements=wish.requirements,
    )
    try:
        study_id, _warnings = await create(request.app.state.services, study, principal.id)
    except Refused as refused:
        form.refused(refused)
        return None
    return study_id


async def _load(services: Services, form: StudyForm, name: str) -> None:
    try:
        found = await services.db.read(partial(get_config, name=name))
    except Refused as refused:
        form.problems["config"] = f"{refused.error}: {refused.details}"
        return
    form.config_name, form.config = found.name, found.body or ""
    form.name = form.name or found.name.rpartition("/")[2].removesuffix(".json")


async def _page(request: Request[Any, Any, Any], form: StudyForm, shown: dict[str, Any] | None = None) -> Response[str]:
    services: Services = request.app.state.services
    return still(
        request,
        "new_study.html",
        title="New super study",
        nav="studies",
        scripts=("new-study.js",),
        styles=("setup.css",),
        form=form,
        preview=shown,
        rows=ROWS_SHOWN,
        splits=SPLITS,
        library=await services.db.read(heads),
    )
