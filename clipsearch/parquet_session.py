"""A session that exports its collection to Parquet, and takes embeddings from it."""

from pathlib import Path

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.files.progress import Progress
from clipsearch.query.filters import Filters
from clipsearch.session import Session
from clipsearch.transfer.column_mapping import ColumnChoice
from clipsearch.transfer.export import FILE_ROWS, ExportReport, export_collection
from clipsearch.transfer.import_files import find_exported, import_embeddings
from clipsearch.transfer.row_import import ImportReport


class ParquetSession(Session):
    """The methods of `Index` for Parquet files."""

    def export(
        self,
        path: str | Path,
        *,
        filters: Filters | None = None,
        file_rows: int = FILE_ROWS,
        progress: Progress | None = None,
    ) -> ExportReport:
        """Write the collection, or what passes `filters`, to a .parquet file or a new folder.

        See `export_collection`.
        """
        rows = max(1, arguments.integer("file_rows", file_rows))
        choice = arguments.instance("filters", filters, Filters)
        return self.read(
            lambda collection: export_collection(
                collection, Path(path), choice=choice, file_rows=rows, progress=progress
            )
        )

    def import_embeddings(
        self,
        *paths: str | Path,
        columns: ColumnChoice | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Store vectors in Parquet files that another program made with this index's model.

        Their rows need paths; see `ColumnChoice` and `import_files.import_embeddings`. Files that
        `export` wrote are read by `clipsearch import`.
        """
        files, exported = find_exported(arguments.flat_paths("paths", paths))
        if exported:
            raise UsageError("clipsearch exported these files: `clipsearch import` restores them")
        self.refresh(now=True)
        is_new = self.find_collection() is None
        try:
            return import_embeddings(
                files, columns or ColumnChoice(), self.create_collection(), progress
            )
        finally:
            if is_new:  # empty, it would tie the next ingestion to this model
                self.drop_if_empty()
