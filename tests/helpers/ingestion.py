"""Read the results of an ingestion."""

from pathlib import Path

from clipsearch.images.hashing import image_id
from clipsearch.store import Collection
from ingest.report import IngestReport


def names(collection: Collection) -> set[str]:
    """The file names of all rows."""
    return {record.path.name for record in collection.scan()}


def embedding(collection: Collection, path: Path) -> list[float]:
    """The stored embedding of a file, rounded."""
    id_ = image_id(path)
    return [round(float(x), 3) for x in collection.get([id_])[id_].embedding]


def counts(report: IngestReport) -> dict[str, int]:
    """The counts that are not zero."""
    values = report.as_json()
    kinds = ("stored", "copied", "moved", "unchanged", "removed")
    values_by_kind = {kind: int(str(values[kind])) for kind in kinds} | {
        "failed": len(report.failed)
    }
    return {kind: count for kind, count in values_by_kind.items() if count}
