"""Which kind of index a collection gets, and the parameters of its searches."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.store.capabilities import Capabilities, lite_capabilities, server_capabilities
from clipsearch.store.index.choice import CHOICES, choose_kind, suggest_kind
from clipsearch.store.index.kinds import INDEX_KINDS
from clipsearch.store.index.settings import (
    IndexSettings,
    Tuning,
    default_settings,
    kind_params,
    read_settings,
)

URI = "http://127.0.0.1:19530"
OLD, MIDDLE, NEW = (server_capabilities(version, URI) for version in ("2.3.5", "2.5.4", "2.6.22"))
CLOUD = server_capabilities("Zilliz Cloud Vector Database(Compatible with Milvus 2.6)", URI)
LITE = lite_capabilities(native=True)

capabilities = st.sampled_from((OLD, MIDDLE, NEW, CLOUD, LITE, lite_capabilities(native=False)))
kinds = st.sampled_from(sorted(INDEX_KINDS))


@pytest.mark.parametrize(
    ("rows", "server", "recall", "kind"),
    [
        (None, NEW, None, "hnsw"),
        (20_000, NEW, None, "flat"),
        (100_000, NEW, None, "flat"),
        (100_001, NEW, None, "hnsw"),
        (10_000_000, NEW, None, "hnsw"),
        (20_000_000, NEW, None, "hnsw_sq8"),
        (20_000_000, OLD, None, "ivf_sq8"),
        (20_000_000, NEW, 0.995, "hnsw"),
        (100_000_000, NEW, None, "diskann"),
        (100_000_000, NEW, 0.9, "ivf_rabitq"),
        (100_000_000, MIDDLE, 0.9, "diskann"),
        (300_000_000, NEW, None, "aisaq"),
        (300_000_000, MIDDLE, None, "diskann"),
        (300_000_000, CLOUD, None, "autoindex"),
        (20_000, CLOUD, None, "autoindex"),
        (300_000, LITE, None, "flat"),
    ],
)
def test_auto_chooses_by_size_recall_and_server(
    rows: int | None, server: Capabilities, recall: float | None, kind: str
) -> None:
    assert choose_kind("auto", server, rows=rows, recall=recall).name == kind


@given(capabilities, st.none() | st.integers(0, 10**10), st.none() | st.floats(0.01, 1))
def test_auto_never_chooses_what_the_server_lacks(
    server: Capabilities, rows: int | None, recall: float | None
) -> None:
    assert choose_kind("auto", server, rows=rows, recall=recall).name in server.index_kinds


@given(capabilities, st.sampled_from(CHOICES))
def test_a_kind_is_used_or_the_error_names_what_it_needs(server: Capabilities, name: str) -> None:
    if name == "auto" or name in server.index_kinds:
        assert choose_kind(name, server).name in server.index_kinds
    else:
        with pytest.raises(UsageError, match=r"needs .*\d\.\d|chooses the index itself") as error:
            choose_kind(name, server)
        assert name in str(error.value)
        assert server.server in str(error.value)


def test_an_unknown_kind_is_an_error_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no index 'hsnw': choose auto, flat, hnsw"):
        choose_kind("hsnw", NEW)


@pytest.mark.parametrize(
    ("kind", "rows", "suggestion"),
    [
        ("flat", 50_000, None),
        ("flat", 150_000, "hnsw"),
        ("hnsw", 5_000, None),  # as good as a scan
        ("hnsw", 20_000_000, "hnsw_sq8"),
        ("diskann", 20_000, None),  # chosen to save memory
        ("gpu_cagra", 20_000_000, None),
        ("hnsw_sq8", 300_000_000, "aisaq"),
    ],
)
def test_only_a_collection_that_outgrew_its_index_gets_another_suggestion(
    kind: str, rows: int, suggestion: str | None
) -> None:
    suggested = suggest_kind(kind, NEW, rows=rows)
    assert (suggested.name if suggested else None) == suggestion
    assert suggest_kind(kind, LITE, rows=rows) is None


@given(
    kinds,
    st.integers(1, 16_384),
    st.none() | st.tuples(st.integers(1, 32_768), st.integers(1, 1000)),
)
def test_a_search_parameter_fits_the_results_and_the_limits(
    name: str, results: int, tuned: tuple[int, int] | None
) -> None:
    kind = INDEX_KINDS[name]
    tuning = Tuning(name, tuned[0], 0.98, 0.98, tuned[1], 1, 1, "") if tuned else None
    params = kind_params(kind, results, tuning)
    if kind.effort is None:
        assert params == kind.extra
        return
    value = params[kind.effort.name]
    assert isinstance(value, int)
    assert 1 <= value <= kind.effort.most
    if kind.effort.per_result >= 1:  # Milvus refuses fewer candidates than results
        assert value >= min(results, kind.effort.most)
    # DISKANN of Milvus 2.3 takes at most 200 for 20 results, else 10 for each.
    if kind.effort.name == "search_list" and tuning is None:
        assert value <= (200 if results <= 20 else 10 * results)


def test_a_tuned_value_holds_up_to_the_measured_number_of_results() -> None:
    tuning = Tuning("hnsw", 24, 0.9, 0.91, 10, 1, 1, "")
    settings = IndexSettings("hnsw", 0.9, tuning)
    assert settings.search_params(5) == {"ef": 24}
    assert settings.search_params(10) == {"ef": 24}
    assert settings.search_params(11) == {"ef": 128}
    assert settings.search_params(1_000) == {"ef": 2_048}
    thorough = IndexSettings("hnsw", 0.9, Tuning("hnsw", 700, 0.9, 0.91, 10, 1, 1, ""))
    assert thorough.search_params(11) == {"ef": 700}


def test_what_was_measured_on_another_kind_does_not_count() -> None:
    tuning = Tuning("hnsw", 24, 0.9, 0.91, 10, 1, 1, "")
    replaced = IndexSettings("ivf_sq8").to_json()
    settings = read_settings(replaced, asdict(tuning), is_local=False)
    assert settings.tuning is None
    assert settings.search_params(10) == {"nprobe": 64}


def test_settings_survive_the_catalog() -> None:
    tuning = Tuning("hnsw", 24, 0.9, 0.91, 10, 3.5, 1_000, "2026-01-01T00:00:00+00:00")
    settings = IndexSettings("hnsw", 0.9, tuning)
    assert read_settings(settings.to_json(), asdict(tuning), is_local=False) == settings
    assert not tuning.is_stale(1_999)
    assert tuning.is_stale(2_000)


@pytest.mark.parametrize("entry", [None, {}, {"kind": "hnsw"}, {"unknown": 1}])
@pytest.mark.parametrize("tuning", [None, {}, {"unknown": 1}])
def test_missing_or_damaged_settings_are_those_of_old_collections(
    entry: dict[str, str] | None, tuning: dict[str, int] | None
) -> None:
    assert read_settings(entry, tuning, is_local=False) == default_settings(is_local=False)


def test_a_kind_of_a_newer_version_is_searched_without_parameters() -> None:
    assert IndexSettings("quantum").search_params(10) == {}
