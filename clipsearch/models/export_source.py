"""The parts of a loaded model that a conversion needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clipsearch.models.base import Encoder
from clipsearch.models.preprocess import Preprocessing


class NotExportableError(Exception):
    """A model cannot be converted; the message is the reason as half a sentence."""


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A model as two torch modules, preprocessing and a tokenizer.

    `save_graphs` writes the graphs of a model that has no torch modules into a folder instead.
    `image` maps (n, 3, H, W) float32 to (n, d), `text` maps (n, length) int64 token ids to (n, d);
    with `masked` it also takes an (n, length) int64 mask, 0 at padding. With `own_length` a batch
    may be as short as its longest text, otherwise texts are padded to `context` with `padding`.
    `save_tokenizer` writes a tokenizer's files into a folder and returns the fields that
    `tokenizers.open_tokenizer` needs. `description` is everything else that determines the vectors,
    besides the identity.
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
    save_graphs: Callable[[Path], None] | None = None


class ExportableEncoder(Encoder, Protocol):
    """An encoder that can be converted."""

    @property
    def sources(self) -> Sequence[Path]:
        """The files and folders that the model was loaded from; a change may mean a new model."""
        ...

    def export_source(self) -> ExportSource:
        """Return the parts of the model; raise NotExportableError if it has others."""
        ...


def save_fast_tokenizer(tokenizer: Any, folder: Path, context: int) -> dict[str, Any]:
    """Write a tokenizer of transformers as tokenizer.json, with truncation but no padding."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or tokenizer.padding_side != "right":
        raise NotExportableError("its tokenizer has no fast version or pads on the left")
    # A call sets the truncation as the library itself does.
    tokenizer(["x"], max_length=context, padding=False, truncation=True)
    (folder / "tokenizer.json").write_text(backend.to_str(), encoding="utf-8")
    return {"kind": "saved", "cleaning": "none", "zeroed": None}
