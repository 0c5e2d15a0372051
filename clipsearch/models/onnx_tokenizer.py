"""The tokenizer of an ONNX export, as open_clip uses it."""

import gzip
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from clipsearch.errors import ModelError
from clipsearch.models.tokenizers import END, START, save_truncated

CLIP_CONTEXT = 77
_MERGES = 49_408 - 512 - 2
"""CLIP's vocabulary has two pieces for each byte, these merges, and two special tokens."""


class OnnxTokenizer:
    """A tokenizer's file, and the `text_cfg` of open_clip that says how to use it."""

    def __init__(self, file: Path, config: Mapping[str, Any]) -> None:
        self._file = file
        self._config = config

    @property
    def context(self) -> int:
        """The number of tokens that the model reads."""
        return int(self._config.get("context_length", CLIP_CONTEXT))

    @property
    def padding(self) -> int:
        """The token id that pads texts."""
        return 0 if self._merges is not None else self._special("pad_token")

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write the files for `tokenizers.open_tokenizer`, and return its fields."""
        if self._merges is not None:
            text = json.dumps(self._merges, ensure_ascii=False)
            (folder / "merges.json").write_text(text, encoding="utf-8")
            return {
                "kind": "bytes",
                "cleaning": "lower",
                "context": self.context,
                "special": [START, END],
            }
        if self._config.get("tokenizer_mode"):
            raise ModelError(f"{self._file} is used in an unknown mode")
        options = self._config.get("tokenizer_kwargs") or {}
        save_truncated(self._file, folder / "tokenizer.json", self.context)
        return {
            "kind": "saved",
            "cleaning": options.get("clean", "whitespace"),
            "zeroed": self._special("sep_token") if options.get("strip_sep_token") else None,
        }

    @cached_property
    def _merges(self) -> Sequence[str] | None:
        """The merges of CLIP's byte pairs; None for another tokenizer.

        open_clip runs CLIP's tokenizer in code of its own, which repairs wrongly decoded characters
        and has other special tokens than the saved one.
        """
        if self._file.suffix == ".gz":
            try:
                lines = gzip.decompress(self._file.read_bytes()).decode().split("\n")
            except (OSError, EOFError, ValueError) as error:
                raise ModelError(f"{self._file} is damaged ({error})") from error
            merges: Sequence[str] = lines[1 : 1 + _MERGES]
        else:
            model = self._fields["model"]
            if model.get("end_of_word_suffix") != "</w>":
                return None
            merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
        if len(merges) != _MERGES:
            raise ModelError(f"{self._file} has {len(merges)} merges, but CLIP has {_MERGES}")
        return merges

    def _special(self, key: str) -> int:
        """The id of a special token that tokenizer_config.json names."""
        file = self._file.with_name("tokenizer_config.json")
        try:
            token = json.loads(file.read_text("utf-8"))[key]
            content = token if isinstance(token, str) else token["content"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{file} does not name a {key}") from error
        added = {entry["content"]: entry["id"] for entry in self._fields.get("added_tokens") or []}
        vocabulary = self._fields["model"].get("vocab") or {}
        if isinstance(vocabulary, list):  # SentencePiece: [piece, score]
            vocabulary = {piece: number for number, (piece, _) in enumerate(vocabulary)}
        if content not in added | vocabulary:
            raise ModelError(f"{self._file} has no token {content}, which is the {key}")
        return int((vocabulary | added)[content])

    @cached_property
    def _fields(self) -> Mapping[str, Any]:
        try:
            fields: Mapping[str, Any] = json.loads(self._file.read_text("utf-8"))
            dict(fields["model"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{self._file} is damaged ({error})") from error
        return fields
