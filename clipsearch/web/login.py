"""`/login`: the form in which a browser gives the token once, for a cookie."""

import asyncio
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clipsearch.web.access import is_token, let_in
from clipsearch.web.dependencies import SettingsOf
from clipsearch.web.page_templates import html_response

router = APIRouter(include_in_schema=False)

WRONG_SECONDS = 0.5
"""How long a wrong token waits for its response, against guessing."""


@router.get("/login")
async def show_login(request: Request, settings: SettingsOf) -> Response:
    """Return the form; without a token nobody needs it."""
    if settings.token is None:
        return RedirectResponse("/", 303)
    return html_response("login.html", request, {"error": ""})


@router.post("/login")
async def log_in(request: Request, settings: SettingsOf) -> Response:
    """Set the cookie if the token is right; else return the form again."""
    try:
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=8)
    except ValueError:  # not this form
        form = {}
    if settings.token is None:
        return RedirectResponse("/", 303)
    if is_token(form.get("token", [""])[0], settings.token):
        return let_in(RedirectResponse("/", 303), settings.token)
    await asyncio.sleep(WRONG_SECONDS)
    return html_response("login.html", request, {"error": "This token is wrong."}, status=401)
