"""What an ingestion says about the index of a server at its end."""

from types import SimpleNamespace
from typing import Any

import pytest

from clipsearch.cli import index_wait
from clipsearch.evaluation import recall_sample
from clipsearch.store.index.settings import IndexSettings


@pytest.mark.parametrize(
    ("wanted", "found", "is_low"),
    [(None, 0.94, True), (None, 0.96, False), (0.9, 0.88, False), (1.0, 0.96, True)],
)
def test_a_recall_below_the_wanted_one_is_reported(
    wanted: float | None,
    found: float,
    is_low: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    info = SimpleNamespace(index=IndexSettings("hnsw", wanted), rows=10_000)
    index: Any = SimpleNamespace(
        store=SimpleNamespace(is_local=False, backend=SimpleNamespace(capabilities=lambda: None)),
        collection=SimpleNamespace(info=info),
        find_collection=lambda: True,
        wait_for_index=lambda _: 0,
    )
    monkeypatch.setattr(recall_sample, "estimate_recall", lambda _: found)
    monkeypatch.setattr(index_wait, "index_advice", lambda *_: None)
    index_wait.wait_for_index(index, quiet=False)
    assert ("the index finds about" in capsys.readouterr().err) == is_low
