"""The towers and reading heads of packed files, for training new heads on them.

New heads change neither tower: `ReleasedTowers` cuts them out of the graphs of a release, quantized
as the product runs them, and puts the new heads behind them. So the heads see the same features in
training as in the product, and reading and speed stay as they are.
"""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.heads.fusion import TextProjection
from training.heads.model import PLACES, SENTENCE, Places
from training.packing import export
from training.packing.pack import READING_DIM, QueryOutput
from training.text_tower.minilm import MiniLM

PLACES_NODE, POOLED_NODE = "aten::flatten/Reshape", "aten::mean/ReduceMean"
SENTENCES_NODE = "__module.tower/aten::div/Divide"
READING_NODES = ("__module.reading/aten::cat/Concat", "__module.asking/aten::cat/Concat")
"""Names that the conversion gives to these outputs; reading once had another one."""


class PlacesOfFits(nn.Module):
    """Places (n, channels, 49) → the outputs of every fit, side by side."""

    def __init__(self, parts: Sequence[Places]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, places: Tensor) -> Tensor:
        return torch.cat([part(places.transpose(1, 2)) for part in self.parts], 1)


class OtherTower(nn.Module):
    """Token ids and mask → sentence vectors, named in the graph as in a release."""

    def __init__(self, tower: MiniLM) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        out: Tensor = self.tower(ids, mask)
        return out


@dataclass(frozen=True, slots=True)
class ReleasedTowers:
    """`pack.TowerGraphs` of the graphs in `folder`, or with another text tower, `language`."""

    folder: Path
    language: MiniLM | None = None

    @property
    def tokenizer(self) -> bytes:
        return (self.folder / "tokenizer.json").read_bytes()

    def image_features(self) -> Any:
        ops, model = export.operators(), self._read("image.xml")
        places, pooled, _ = _trunk(model)
        rows = ops.reshape(ops.transpose(places, [0, 2, 1]), [0, -1], special_zero=True)
        return export.graph(ops.concat([rows, pooled], 1), model.get_parameters())

    def sentences(self) -> Any:
        if self.language is not None:
            return export.text_graph(OtherTower(self.language))
        model = self._read("text.xml")
        return export.graph(_named(model, SENTENCES_NODE), model.get_parameters()[:2])

    def image(self, parts: Sequence[Places]) -> Any:
        model = self._read("image.xml")
        places, pooled, reading = _trunk(model)
        channels = parts[0].hidden.in_features
        fits = export.place_graph(PlacesOfFits(parts), channels, PLACES)
        outputs = [export.spliced(fits, [places]), pooled, *reading]
        return export.graph(export.operators().concat(outputs, 1), model.get_parameters())

    def text(self, end: TextProjection) -> Any:
        tower, model = self.sentences(), self._read("text.xml")
        names = {node.get_friendly_name() for node in model.get_ops()}
        reading = _named(model, next(name for name in READING_NODES if name in names))
        output = export.row_graph(QueryOutput(end), SENTENCE, READING_DIM)
        sentences = tower.get_results()[0].input_value(0)
        inputs = [*tower.get_parameters(), *model.get_parameters()[2:]]
        return export.graph(export.spliced(output, [sentences, reading]), inputs)

    def _read(self, name: str) -> Any:
        return export.read_graph(self.folder / name)


def _trunk(model: Any) -> tuple[Any, Any, Sequence[Any]]:
    """Return the places (n, channels, 49), pooled features and parts of reading of a graph."""
    pooled = _named(model, POOLED_NODE)
    joined = model.get_results()[0].input_value(0).get_node().input_values()
    # The outputs of the earlier heads come first, then the pooled features, then reading.
    return _named(model, PLACES_NODE), pooled, joined[joined.index(pooled) + 1 :]


def _named(model: Any, name: str) -> Any:
    found = [node for node in model.get_ops() if node.get_friendly_name() == name]
    if len(found) != 1:
        raise ValueError(f"{name} occurs {len(found)} times in the graph: not packed by this code")
    return found[0].output(0)
