"""What a conversion needs of a loaded model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clipsearch.models.base import Encoder
from clipsearch.models.preprocess import Preprocessing


class NotExportableError(Exception):
    """A model does something that only its own library can do; the message is the reason."""


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A model taken apart: two torch modules, and what comes before them.

    `image` maps (n, 3, H, W) float32 to (n, d), `text` (n, length) int64 token numbers to (n, d);
    with `masked` it takes an (n, length) int64 mask as well, 0 where a text is padded. A text may
    be as short as its tokens where `own_length` holds, else it is padded to `context` with
    `padding`. `save_tokenizer` writes a tokenizer's files into a folder and returns what
    `tokens.open_tokenizer` has to know of them. `description` is all else that makes the model what
    it is, besides its identity.
    """

    image: Any
    text: Any
    preprocessing: Preprocessing
    save_tokenizer: Callable[[Path], Mapping[str, Any]]
    context: int
    padding: int
    masked: bool
    own_length: bool
    description: str


class ExportableEncoder(Encoder, Protocol):
    """An encoder that can be taken apart."""

    @property
    def sources(self) -> Sequence[Path]:
        """All files and folders that another model could come from next time."""
        ...

    def parts(self) -> ExportSource:
        """Raises NotConvertibleError, with the reason as half a sentence."""
        ...


def save_fast_tokenizer(tokenizer: Any, folder: Path, context: int) -> dict[str, Any]:
    """Write a tokenizer of transformers as tokenizer.json, with its truncation and no padding."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or tokenizer.padding_side != "right":
        raise NotExportableError("its tokenizer has no fast form, or fills up on the left")
    # Calling it sets the truncation as the library itself does.
    tokenizer(["x"], max_length=context, padding=False, truncation=True)
    (folder / "tokenizer.json").write_text(backend.to_str(), encoding="utf-8")
    return {"kind": "saved", "cleaning": "none", "zeroed": None}
