"""ImageNet's class names: lemmas, glosses and hypernyms from WordNet 3.0's `data.noun`.

ImageNet names a class by its WordNet offset (n02123045), so this file alone is enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

# Of nouns, in the order of their numbers, which begin with 3 (lexnames(5)).
CATEGORIES = (
    *("tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication"),
    *("event", "feeling", "food", "group", "location", "motive", "object", "person", "phenomenon"),
    *("plant", "possession", "process", "quantity", "relation", "shape", "state", "substance"),
    "time",
)


@dataclass(frozen=True, slots=True)
class Synset:
    """A WordNet noun: `id` as ImageNet writes it, synonyms, definition, ids of its hypernyms.

    `category` is one of CATEGORIES, or "instance" for a name, such as that of a person or a city.
    `keys` are the sense keys of the synonyms (senseidx(5)).
    """

    id: str
    lemmas: tuple[str, ...]
    gloss: str
    hypernyms: tuple[str, ...]
    category: str = ""
    keys: tuple[str, ...] = ()


def read_synsets(path: Path) -> dict[str, Synset]:
    """Parse `data.noun` (the format is in the manual page wndb(5)) into synsets by id."""
    synsets = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("  "):
            continue  # the license at the top
        data, gloss = line.split(" | ", 1)
        fields = data.split()
        count = int(fields[3], 16)
        words = fields[4 : 4 + 2 * count]
        lemmas = tuple(word.replace("_", " ") for word in words[0::2])
        keys = tuple(
            f"{word.lower()}%1:{fields[1]}:{int(number, 16):02d}::"
            for word, number in zip(words[0::2], words[1::2], strict=True)
        )
        pointers = fields[5 + 2 * count :]
        hypernyms = tuple(
            f"n{offset}"
            for symbol, offset in zip(pointers[0::4], pointers[1::4], strict=False)
            if symbol in ("@", "@i")
        )
        category = "instance" if "@i" in pointers[0::4] else CATEGORIES[int(fields[1]) - 3]
        definition = gloss.split('; "')[0].strip()  # without the example sentences
        synset = Synset(f"n{fields[0]}", lemmas, definition, hypernyms, category, keys)
        synsets[synset.id] = synset
    return synsets


def imagenet_ids() -> list[str]:
    """Return the ids of ImageNet's 1,000 classes in the order of the classifier's outputs."""
    return (files("timm.data._info") / "imagenet_synsets.txt").read_text("utf-8").split()


def ancestors(id_: str, synsets: Mapping[str, Synset]) -> set[str]:
    """Return the ids of everything that `id_` is a kind of, without itself."""
    found: set[str] = set()
    waiting = list(synsets[id_].hypernyms)
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting.extend(synsets[parent].hypernyms)
    return found


def families(
    ids: Iterable[str], synsets: Mapping[str, Synset], least: int, most: int
) -> dict[str, list[str]]:
    """Group `ids` by hypernym: its id → its members, with least ≤ number of members ≤ most."""
    groups: dict[str, list[str]] = {}
    for id_ in ids:
        for parent in ancestors(id_, synsets):
            groups.setdefault(parent, []).append(id_)
    return {p: sorted(m) for p, m in sorted(groups.items()) if least <= len(m) <= most}
