"""The part of the Python API that rebuilds a collection."""

from functools import partial

from clipsearch import arguments
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.preload import remember_model
from clipsearch.session import Session
from ingest.reindex import run
from ingest.reindex.report import ReindexReport
from ingest.reindex.run import ReindexOptions


class ReindexingSession(Session):
    """A session that can rebuild its collection, and take that back."""

    def reindex(
        self,
        model: str | Encoder | None = None,
        *,
        options: ReindexOptions | None = None,
        open_progress: OpenProgress = no_progress,
    ) -> ReindexReport | None:
        """Rebuild the collection with another model, or in the present schema; see `ReindexReport`.

        Returns None if it is up to date. The old rows are used, here and by other processes, until
        the new ones are complete and verified. A reindex that was interrupted continues with the
        next call. With the same model, or None, rows keep their vectors, and get the fields that
        the collection lacks.
        """
        if not isinstance(model, str | None):
            registry.check_custom_encoder(model)
        report = run.reindex(
            self.store,
            self.name,
            model,
            self._load_model,
            arguments.instance("options", options, ReindexOptions),
            open_progress,
        )
        if report is not None and report.switched:
            self._model = None if isinstance(model, str | None) else model
            self._use_present()
        return report

    def roll_back(self) -> None:
        """Use the rows again that the last reindex replaced; raise StoreError if there are none."""
        run.roll_back(self.store, self.name)
        self._model = None
        self._use_present()

    def _load_model(self, name: str) -> Encoder:
        return registry.load(name, self._runtime, sample=partial(self._sample_images, ()))

    def _use_present(self) -> None:
        self.refresh(now=True)
        remember_model(self.store.uri, self.name, self.collection.info.model.name)
