"""What `query` and `similar` share: search, by the daemon if one runs, and show the hits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipsearch.cli.existing import existing_hits
from clipsearch.cli.messages import note
from clipsearch.cli.output import Output, show
from clipsearch.consistency import Consistency
from clipsearch.daemon import request as daemon
from clipsearch.daemon.connection import DaemonLostError
from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user, is_folder
from clipsearch.models.runtime import Runtime
from clipsearch.query import Query, Term
from clipsearch.query.filters import NO_FILTERS
from clipsearch.query.response import Said, SearchResponse
from clipsearch.records import Hit
from clipsearch.uri import parse_uri


@dataclass(frozen=True, slots=True)
class Target:
    """The values of `store`, `runtime` and `consistency`: what is searched, by which model."""

    uri: str
    token: str | None
    collection: str
    runtime: Runtime
    consistency: Consistency


def search_and_show(query: Query, options: Output, *, title: str, target: Target) -> None:
    """Search and show the hits; start a daemon for later commands if CLIPSEARCH_WARM is set.

    `title` describes the query on a contact sheet.
    """
    query = replace(query, terms=tuple(map(_located, query.terms)))
    may_use_daemon, response = True, None
    try:
        response = _respond(
            query,
            lambda query: daemon.search(
                query,
                parse_uri(target.uri),
                target.token,
                target.collection,
                target.runtime,
                target.consistency,
            ),
            existing=options.existing,
        )
    except DaemonLostError:
        may_use_daemon = False
    is_warm = response is not None
    response = response or _search_here(
        query, target, existing=options.existing, may_use_daemon=may_use_daemon
    )
    under = query.filters.under
    if not response.hits and under and not is_folder(expand_user(under)):
        raise UsageError(f"nothing is stored under {under}, and there is no such folder")
    images = [term.content for term in query.terms if isinstance(term.content, Path)]
    for warning in response.warnings:
        note(warning)
    for said in response.said:
        note(said_note(said))
    show(
        response.hits,
        options,
        title=title,
        images=images,
        start=query.offset + 1,
        warnings=response.warnings,
    )
    for reason in [] if response.hits else response.reasons:
        note(reason)
    if not is_warm:
        from clipsearch.daemon.process import start_if_enabled

        start_if_enabled(target.uri, target.token, target.collection, target.runtime)


def said_note(said: Said) -> str:
    """Name the option that finds the images that show a text."""
    import shlex

    images = "1 image says" if said.images == 1 else f"{said.images:,} images say"
    words = f'"{said.words}"' if " " in said.words else said.words  # a phrase
    return f"{images} {said.words!r}: --says {shlex.quote(words)}"


def _located(term: Term) -> Term:
    """Return the term with an absolute path, for a daemon, which has another working directory."""
    content = term.content
    return replace(term, content=content.absolute()) if isinstance(content, Path) else term


def _respond(
    query: Query, search: Callable[[Query], SearchResponse | None], *, existing: bool
) -> SearchResponse | None:
    """Search, for `existing` until there are enough hits; return None if the search does."""
    if not existing:
        return search(query)
    response: SearchResponse | None = None

    def best(count: int) -> Sequence[Hit]:
        nonlocal response
        response = search(replace(query, limit=count, offset=0))
        return response.hits if response is not None else ()

    hits = existing_hits(best, limit=query.limit, offset=query.offset)
    return replace(response, hits=hits) if response is not None else None


def _search_here(
    query: Query, target: Target, *, existing: bool, may_use_daemon: bool
) -> SearchResponse:
    """Search with the store and the model in this process, or in a daemon, call by call."""
    # Late, as these import numpy, the store and the models.
    from clipsearch.query.search import respond
    from clipsearch.session import Session

    with Session.open(
        target.uri,
        collection=target.collection,
        token=target.token,
        create=False,
        preload=any(isinstance(term.content, str) for term in query.terms),
        daemon=may_use_daemon,
        single_query=query.filters == NO_FILTERS
        and not query.exclude_images
        and query.says is None,
        consistency=target.consistency,
        **target.runtime.options(),
    ) as session:
        response = _respond(
            query,
            lambda query: session.read(lambda collection: respond(query, session.load, collection)),
            existing=existing,
        )
        assert response is not None
        return response
