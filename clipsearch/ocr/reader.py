"""What reads the text in images: the protocol, and the reader of the extra `[ocr]`."""

from typing import Protocol

from PIL import Image

from clipsearch.errors import ModelError, UsageError
from clipsearch.ocr.image_text import ImageText
from clipsearch.ocr.model_files import find_model_files


class TextReader(Protocol):
    """Recognizes the text in images; `read` may be called from several threads at once."""

    @property
    def name(self) -> str:
        """What `ImageText.reader` holds: model and version; another one reads differently."""

    @property
    def concurrency(self) -> int:
        """How many calls of `read` at once use all cores; each of them needs one core."""

    def read(self, image: Image.Image) -> ImageText:
        """Return the text in an upright RGB image of any size, the same for equal pixels.

        Boxes are fractions of its sides. Memory is bounded whatever the size: at most 500 MB for
        each call at once. Raises ModelError if the model does not work.
        """


def load_reader(model: str | None = None) -> TextReader:
    """Return the reader of the extra `[ocr]`; its own graphs are loaded by the first `read`.

    `model` is a folder of models, or the name of a model in the folder of rapidocr; by default it
    is the one in the wheel of rapidocr. Nothing is downloaded. Raises UsageError if the extra is
    not installed, or if there is no such model or it does not work; the message says what to do.
    """
    files = find_model_files(model)
    from clipsearch.ocr.rapid_reader import RapidReader  # late: it imports OpenCV

    reader = RapidReader(files)
    if model is not None:
        try:
            reader.check()
        except (ModelError, UsageError) as error:
            raise UsageError(f"--ocr-model {model}: {error}") from error
    return reader
