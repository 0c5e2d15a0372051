"""The Python API of a collection that `clipsearch serve` serves, over HTTP."""

import base64
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import numpy as np

from clipsearch import arguments
from clipsearch.batching import batches
from clipsearch.classify import LinearProbe, check_labels
from clipsearch.classify.predictions import Classification, Prediction, check_top_and_threshold
from clipsearch.classify.templates import DEFAULT_TEMPLATES, resolve_templates
from clipsearch.client.session import HTTPSession
from clipsearch.client.uploads import (
    ImageUploads,
    Uploadable,
    data_uri,
    image_bytes,
    image_name,
    upload_size,
)
from clipsearch.errors import ImageError, StoreError, UsageError
from clipsearch.query import Filters, Query
from clipsearch.query.image_input import ImageInput, to_contents
from clipsearch.query.request import filters_json, request_json
from clipsearch.query.response import parse_hit, parse_record
from clipsearch.render.notebook import Hits
from clipsearch.search_api import SearchAPI
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

T = TypeVar("T")
R = TypeVar("R")

CONNECTIONS = 8
"""Requests of one call at a time; the server embeds those of concurrent requests together."""

PAGE = 500
"""The most hits of one response."""

TEXTS, IMAGE_BYTES = 256, 4 << 20
"""About as many texts, and bytes of images, are embedded by one request."""


class Client(SearchAPI):
    """A collection behind a `clipsearch serve`, with the methods of `Index` that search and embed.

    Arguments, results and errors are those of `Index`. An image file of this machine is uploaded;
    a path that exists only on the server names its stored image. `Filters.expression` and
    `Query.max_pixels` cannot be sent. Any number of threads may use a client; close it, best with
    `with`.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 120.0) -> None:
        """Use the server at a URL such as http://127.0.0.1:8765; nothing is sent yet.

        `token` is that of `clipsearch serve --token`, `timeout` the seconds to wait for a response.
        Raises UsageError if the URL or the token is not valid. Methods raise StoreError if the
        server cannot be reached.
        """
        self._session = HTTPSession(url, token=token, timeout=timeout)
        self._uploads = ImageUploads(self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __repr__(self) -> str:
        """Return the URL, without the token."""
        return f"<Client of {self._session.url}>"

    def classify(
        self,
        labels: Sequence[str] | LinearProbe,
        *,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        filters: Filters | None = None,
        top: int | None = None,
        threshold: float = 0.0,
    ) -> list[Classification]:
        """Choose the best of some labels for each image, or apply a probe; see `Index.classify`."""
        check_top_and_threshold(top=top, threshold=threshold)
        filters = arguments.instance("filters", filters, Filters)
        _require_no_expression(filters)
        if isinstance(labels, LinearProbe):
            classifier: dict[str, Any] = {"probe": labels.to_json()}
        else:
            chosen = check_labels(labels)
            classifier = {"labels": chosen, "templates": resolve_templates(templates)}
        request = {"filters": filters_json(filters), "top": top, "threshold": threshold}
        response = self._session.post("/v1/classify", classifier | request)
        _log_all(response["warnings"])
        results = [_parse_classification(values) for values in response["images"]]
        return sorted(results, key=lambda result: result.record.path)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts as (n, d) float32 of length 1, in order; a str is one text."""
        groups = batches(arguments.texts("texts", texts), TEXTS)
        return self._stack(self._map(self._embed_texts, list(groups)))

    def embed_images(self, images: ImageInput | Sequence[ImageInput]) -> Vectors:
        """Embed image files, or images in memory, as (n, d) float32 of length 1, in order.

        Raises ImageError naming a file that cannot be read, and UsageError on a value that is not
        an image.
        """
        groups = batches(to_contents(images), IMAGE_BYTES, weigh=upload_size)
        return self._stack(self._map(self._embed_images, list(groups)))

    def _map(self, action: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Apply an action to all items, several at a time, and return the results in order."""
        if len(items) < 2:
            return [action(item) for item in items]
        with ThreadPoolExecutor(min(CONNECTIONS, len(items))) as pool:
            futures = [pool.submit(action, item) for item in items]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _search(self, queries: Sequence[Query]) -> list[Hits]:
        return self._map(self._search_pages, queries)

    def _search_pages(self, query: Query) -> Hits:
        """Return the hits of one query, page by page."""
        _require_no_expression(query.filters)
        if query.max_pixels is not None:
            raise UsageError("max_pixels cannot be sent over HTTP: the server has a limit")
        request = request_json(query, term_json=self._uploads.term_json)
        hits = Hits()
        for start in range(0, query.limit, PAGE):
            page = {"limit": min(PAGE, query.limit - start), "offset": query.offset + start}
            response = self._session.post("/v1/search", request | page)
            if not start:
                _log_all(response["warnings"])
            hits += [parse_hit(values) for values in response["hits"]]
            if response["next"] is None:
                break
        return hits

    def _embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._embed(list(texts), "text")

    def _embed_images(self, images: Sequence[Uploadable]) -> Vectors:
        contents = [image_bytes(image) for image in images]
        try:
            return self._embed([data_uri(content) for content in contents], "image")
        except ImageError as error:
            if len(images) == 1:
                raise ImageError(f"{image_name(images[0])}: {error}") from error
            for image in images:  # find out which one it is
                self._embed_images([image])
            raise

    def _embed(self, inputs: Sequence[str], modality: str) -> Vectors:
        """Embed texts or data URIs: (n, d) float32."""
        request = {"input": inputs, "modality": modality, "encoding_format": "base64"}
        response = self._session.post("/v1/embeddings", request)
        _log_all(response["warnings"])
        data = response["data"]
        rows = [np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4") for item in data]
        if len(rows) != len(inputs):
            raise StoreError(f"the server returned {len(rows)} embeddings for {len(inputs)} inputs")
        return np.stack(rows).astype(np.float32)

    def _stack(self, groups: Sequence[Vectors]) -> Vectors:
        if groups:
            return np.concatenate(groups)
        dimensions = self._session.get("/v1/status")["model"]["dim"]
        return np.empty((0, dimensions), dtype=np.float32)


def _require_no_expression(filters: Filters) -> None:
    if filters.expression:
        raise UsageError("a filter expression cannot be sent over HTTP: use the other filters")


def _log_all(warnings: Sequence[str]) -> None:
    for warning in warnings:
        log.warning("%s", warning)


def _parse_classification(values: dict[str, Any]) -> Classification:
    predictions = tuple(Prediction(**prediction) for prediction in values["predictions"])
    return Classification(parse_record(values["image"]), values["label"], predictions)
