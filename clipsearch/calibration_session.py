"""A session that calibrates the model of its collection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.files.progress import Progress
from clipsearch.session import Session

if TYPE_CHECKING:  # evaluation takes 0.2 s to import, which every Index would wait for
    from clipsearch.evaluation.captions import CaptionedImage


class CalibrationSession(Session):
    """The methods of `Index` for `p`, the probability that a hit is relevant."""

    def calibrate(
        self,
        captions: str | Path | Sequence[CaptionedImage] | None = None,
        *,
        images: str | Path | None = None,
        split: str | None = None,
        limit: int | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> str:
        """Calibrate the model, for all its collections in the store; return from what, in words.

        `captions` is a file of captioned images in the folder `images`, of one `split` or the first
        `limit`, that the model was not trained on. Without it, the calibration of pocket is adapted
        by a sample of the collection. Raises UsageError if captions or images are too few.
        """
        from clipsearch.evaluation import calibrate

        encoder = self.load()
        if captions is None:
            found = self.read(lambda stored: calibrate.calibrate_on_collection(encoder, stored))
        else:
            found = calibrate.calibrate_on_captions(
                encoder,
                captions,
                images=images,
                split=split,
                limit=limit,
                seed=seed,
                progress=progress,
            )
        calibrate.save_calibration(found, self.collection)
        return found.source

    def reset_calibration(self) -> bool:
        """Remove the stored calibration; return whether the package has one of the model.

        Raises UsageError if none is stored.
        """
        from clipsearch.evaluation import calibrate

        return self.read(calibrate.reset_calibration) is not None
