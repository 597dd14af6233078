"""`/p/{token}`: somebody's own data and choices; `/o/{token}`: what a link in a mail does once; no log-in."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs
from zoneinfo import available_timezones

from litestar import HttpMethod, MediaType, Request, Response, Router, post, route
from litestar.params import FromPath

from waggle.api.body import small_body
from waggle.api.later import page_handlers
from waggle.api.page import escaped, page
from waggle.api.preference_texts import Speech, speech_for
from waggle.api.token import is_token
from waggle.errors import Rejected
from waggle.services.one_time_actions import HIGHEST_SCORE, Done, OneTimeActions
from waggle.services.preferences import Choice, PreferenceCentre, Preferences

MAX_FORM_BYTES: Final = 16_384
_MAX_FIELDS: Final = 50
_NAME_CHARS: Final = 200

_LANGUAGES: Final[Mapping[str, str]] = {
    "en": "English",
    "pl": "Polski",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "it": "Italiano",
    "cs": "Čeština",
    "uk": "Українська",
}


def preference_routes(centre: PreferenceCentre, actions: OneTimeActions) -> Router:
    """Return the pages.

    Programs that check mails follow every link, so GET and HEAD change nothing. The token is the authority, so there is
    no cookie that another site could use.
    """

    @route("/p/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.HTML)
    async def look(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
        return await _show(centre, token, _speech(request))

    @post("/p/{token:str}", media_type=MediaType.HTML, status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def change(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
        speech = _speech(request)
        form = await _form(request)
        if not is_token(token):
            return _unknown(speech)
        try:
            notice = await _change(centre, token, form, speech)
        except Rejected as rejected:
            wrong = speech("wrong", field=speech.plain(rejected.message))
            return await _show(centre, token, speech, f'<p class="warning" role="alert">{wrong}</p>', status_code=422)
        if notice is None:
            return _unknown(speech)
        return await _show(centre, token, speech, f'<p class="notice" role="status">{notice}</p>')

    @route("/o/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.HTML)
    async def ask(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
        return await _ask(actions, token, _speech(request), _score(request.query_params.get("score")))

    @post("/o/{token:str}", status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def perform(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[Any]:
        speech = _speech(request)
        form = await _form(request)
        try:
            done = await actions.perform(token, _score(form.get("score"))) if is_token(token) else None
        except Rejected:
            return await _ask(actions, token, speech, None, missing=True)
        return _unknown(speech) if done is None else _performed(done, speech)

    return Router("/", route_handlers=[look, change, ask, perform], exception_handlers=page_handlers())


async def _ask(
    actions: OneTimeActions, token: str, speech: Speech, score: int | None, *, missing: bool = False
) -> Response[str]:
    """Ask before anything is done; *score* is what the link in the mail said, *missing* that none was chosen."""
    found = await actions.describe(token) if is_token(token) else None
    if found is None:
        return _unknown(speech)
    text = "download_text" if found.kind == "download" else found.kind
    agreed = f'<p>{speech("agree")}</p><p class="quiet">{escaped(found.wording)}</p>'
    wording = agreed if found.wording else ""
    warning = f'<p class="warning" role="alert">{speech("choose_score")}</p>' if missing else ""
    choices = _scores(score, speech) if found.kind == "answer-survey" else ""
    return page(
        speech.plain(f"{found.kind}_title"),
        f"<p>{speech(text, shop=found.shop_name, email=found.masked_email)}</p>{wording}{warning}"
        f'<form method="post">{choices}<button type="submit">{speech(f"{found.kind}_button")}</button></form>'
        f'<p class="quiet">{speech("accident")}</p>',
        status_code=422 if missing else 200,
        language=speech.language,
    )


def _scores(chosen: int | None, speech: Speech) -> str:
    """Return the scale, the number from the mail chosen already."""
    boxes = "".join(
        f'<label><input type="radio" name="score" value="{score}" required{" checked" if score == chosen else ""}>'
        f"{score}</label>"
        for score in range(HIGHEST_SCORE + 1)
    )
    ends = f"<span>{speech('score_lowest')}</span><span>{speech('score_highest')}</span>"
    return (
        f'<fieldset class="scale"><legend>{speech("score_legend")}</legend>{boxes}</fieldset>'
        f'<p class="ends quiet">{ends}</p>'
    )


def _score(said: str | None) -> int | None:
    return int(said) if said is not None and re.fullmatch(r"[0-9]{1,2}", said) else None


async def _change(centre: PreferenceCentre, token: str, form: Mapping[str, str], speech: Speech) -> str | None:
    """Do what the pressed button says and return what to tell; None: nobody's token, or no button of ours."""
    match form.get("do"):
        case "choices":
            wanted = frozenset(
                (purpose, channel)
                for purpose, _, channel in (name.partition("/") for name in form)
                if purpose and channel
            )
            done, notice = await centre.choose(token, wanted, speech.language), "saved"
        case "details":
            done, notice = await centre.correct(token, form), "saved"
        case "email":
            done, notice = await centre.change_email(token, form.get("email", "")), "asked_email"
        case "export":
            done, notice = await centre.wish(token, "access"), "asked_export"
        case "erase":
            done, notice = await centre.wish(token, "erasure"), "asked_erasure"
        case "restrict" | "unrestrict" as wish:
            done, notice = await centre.restrict(token, on=wish == "restrict"), "saved"
        case _:
            return None
    return speech(notice) if done else None


def _speech(request: Request[Any, Any, Any]) -> Speech:
    return speech_for(request.headers.get("accept-language", ""))


async def _form(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the fields of a form as browsers send one; anything else has none."""
    body = await small_body(request)
    if request.content_type[0] != "application/x-www-form-urlencoded":
        return {}
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items() if len(name) <= _NAME_CHARS}


async def _show(
    centre: PreferenceCentre, token: str, speech: Speech, notice: str = "", *, status_code: int = 200
) -> Response[str]:
    found = await centre.view(token) if is_token(token) else None
    if found is None:
        return _unknown(speech)
    restricted = f'<p class="warning">{speech("restricted")}</p>' if found.restricted else ""
    body = (
        f"<p>{speech('intro', email=found.masked_email, shop=found.shop_name)}</p>{notice}{restricted}"
        + _choices(found, speech)
        + _details(found, speech)
        + _held(found, speech)
        + _stop(found, speech)
    )
    return page(speech.plain("title"), body, status_code=status_code, language=speech.language, wide=True)


def _choices(found: Preferences, speech: Speech) -> str:
    rows = "".join(_choice(each, speech) for each in found.choices)
    return (
        f'<h2>{speech("choices")}</h2><form method="post"><fieldset>{rows}</fieldset>'
        f'<button type="submit" name="do" value="choices">{speech("save_choices")}</button></form>'
    )


def _choice(choice: Choice, speech: Speech) -> str:
    name = escaped(f"{choice.purpose}/{choice.channel}")
    wording = _said(choice.wording, speech)
    details = f"<details><summary>{speech('wording')}</summary><p>{escaped(wording)}</p></details>" if wording else ""
    return (
        f'<div class="choice"><input type="checkbox" id="{name}" name="{name}" value="on" '
        f'aria-describedby="{name}-about"{" checked" if choice.on else ""}>'
        f'<label for="{name}">{escaped(_said(choice.label, speech))}</label>'
        f'<p class="quiet" id="{name}-about">{escaped(_said(choice.explanation, speech))}</p>{details}</div>'
    )


def _said(texts: Mapping[str, str], speech: Speech) -> str:
    return texts.get(speech.language) or texts.get("en", "")


def _details(found: Preferences, speech: Speech) -> str:
    unchanged = speech("unchanged")
    zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    return (
        f'<h2>{speech("details")}</h2><form method="post">'
        f'<label class="field">{speech("first_name")}<input name="first_name" maxlength="{_NAME_CHARS}" '
        f'autocomplete="given-name" value="{escaped(found.first_name)}"></label>'
        f'<label class="field">{speech("language")}<select name="language">'
        f"{_options(_LANGUAGES, found.language, unchanged)}</select></label>"
        f'<label class="field">{speech("time_zone")}<select name="time_zone">'
        f"{_options({zone: zone.replace('_', ' ') for zone in zones}, found.time_zone, unchanged)}</select></label>"
        f'<button type="submit" name="do" value="details">{speech("save_details")}</button></form>'
        f'<form method="post"><p>{speech("email_intro", email=found.masked_email)}</p>'
        f'<label class="field">{speech("email")}<input type="email" name="email" maxlength="254" required '
        f'autocomplete="email"></label>'
        f'<button class="second" type="submit" name="do" value="email">{speech("save_email")}</button></form>'
    )


def _options(names: Mapping[str, str], chosen: str, unchanged: str) -> str:
    shown = [f'<option value="">{unchanged}</option>'] if chosen not in names else []
    shown += [
        f'<option value="{escaped(value)}"{" selected" if value == chosen else ""}>{escaped(name)}</option>'
        for value, name in names.items()
    ]
    return "".join(shown)


def _held(found: Preferences, speech: Speech) -> str:
    lines = "".join(
        f"<li><strong>{escaped(each.title)}</strong> ({each.count}): {escaped(each.purpose)}</li>"
        for each in found.held
    )
    wishes = "".join(
        "<li>"
        + escaped(
            speech.plain(
                "wish",
                right=speech.plain(f"right_{each.right}"),
                day=f"{each.opened_at:%Y-%m-%d}",
                state=speech.plain(f"state_{each.state}"),
            )
        )
        + "</li>"
        for each in found.wishes
    )
    asked = f"<h2>{speech('wishes')}</h2><ul>{wishes}</ul>" if wishes else ""
    listed = f"<ul>{lines}</ul>" if lines else f"<p>{speech('held_nothing')}</p>"
    return (
        f'<h2>{speech("held")}</h2>{listed}<form method="post"><p>{speech("download_intro")}</p>'
        f'<button class="second" type="submit" name="do" value="export">{speech("download")}</button></form>{asked}'
    )


def _stop(found: Preferences, speech: Speech) -> str:
    wish = "unrestrict" if found.restricted else "restrict"
    return (
        f'<h2>{speech("stop")}</h2><form method="post"><p>{speech("restrict_intro")}</p>'
        f'<button class="second" type="submit" name="do" value="{wish}">{speech(wish)}</button></form>'
        f'<form method="post"><p>{speech("erase_intro")}</p>'
        f'<button class="second" type="submit" name="do" value="erase">{speech("erase")}</button></form>'
    )


def _performed(done: Done, speech: Speech) -> Response[Any]:
    if done.archive is not None:
        return Response(
            done.archive,
            media_type="application/zip",
            headers={
                "Content-Disposition": 'attachment; filename="my-data.zip"',
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Robots-Tag": "noindex, nofollow",
                "X-Content-Type-Options": "nosniff",
            },
        )
    return page(
        speech.plain(f"{done.kind}_done_title"),
        f"<p>{speech(f'{done.kind}_done')}</p><p class=quiet>{speech('close')}</p>",
        language=speech.language,
    )


def _unknown(speech: Speech) -> Response[str]:
    return page(speech.plain("unknown_title"), f"<p>{speech('unknown')}</p>", status_code=404, language=speech.language)
