"""What an exported file says about its collection, beside the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import UsageError
from clipsearch.models.base import ModelIdentity
from clipsearch.store import Collection
from clipsearch.store.catalog_entry import failure_json, to_failure
from clipsearch.store.schema import SCHEMA_VERSION, decode_path, encode_path
from clipsearch.types import Failure

KEY = b"clipsearch"
"""The key of these facts, as JSON, in the key-value metadata of a file."""

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """The model of the vectors, and what the catalog knows of the collection.

    `schema_version` is that of the rows and of their checksums. Of several files, the first has
    the failures, the textness probe and the calibration.
    """

    collection: str
    schema_version: int
    model: ModelIdentity
    roots: tuple[Path, ...]
    mounts: tuple[Path, ...]
    failures: tuple[Failure, ...] = ()
    textness: dict[str, Any] | None = None
    calibration: str | None = None

    @classmethod
    def of(cls, collection: Collection) -> ExportFacts:
        """Return the facts of a collection, whose rows get the fields of this version."""
        info = collection.info
        return cls(
            collection=info.name,
            schema_version=SCHEMA_VERSION,
            model=info.model,
            roots=info.roots,
            mounts=info.mounts,
            failures=tuple(collection.failures()),
            textness=collection.textness(),
            calibration=collection.calibration.read(),
        )

    def encode(self) -> bytes:
        """Return the value of KEY."""
        facts = {
            "format": FORMAT_VERSION,
            "schema_version": self.schema_version,
            "collection": self.collection,
            "model": asdict(self.model),
            "roots": list(map(encode_path, self.roots)),
            "mounts": list(map(encode_path, self.mounts)),
            "failures": list(map(failure_json, self.failures)),
            "textness": self.textness,
            "calibration": self.calibration,
        }
        return json.dumps(facts).encode()

    @classmethod
    def read(cls, metadata: Mapping[bytes, bytes] | None, file: Path) -> ExportFacts | None:
        """Return the facts in the metadata of a file; None if another program wrote it.

        Raises UsageError if a newer version of clipsearch wrote it, or if they are damaged.
        """
        if metadata is None or KEY not in metadata:
            return None
        try:
            facts = json.loads(metadata[KEY])
            if facts["format"] > FORMAT_VERSION or facts["schema_version"] > SCHEMA_VERSION:
                raise UsageError(f"{file} was written by a newer version of clipsearch: update it")
            return cls(
                collection=facts["collection"],
                schema_version=facts["schema_version"],
                model=ModelIdentity(**facts["model"]),
                roots=tuple(map(decode_path, facts["roots"])),
                mounts=tuple(map(decode_path, facts["mounts"])),
                failures=tuple(map(to_failure, facts["failures"])),
                textness=facts["textness"],
                calibration=facts.get("calibration"),  # older exports have none
            )
        except UsageError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file}: what it says about its collection is damaged") from error
