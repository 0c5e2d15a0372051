"""Build the embedded model's dictionary from WordNet 3.0.

    python -m training.packing.build_dictionary --data ../shared/data --wordnet /usr/share/wordnet

Run it again if the model is trained on other captions. A noun has the definitions of the meanings
that an image can show. All other words of WordNet, those that it leaves out ("the", "with") and
those of the captions are kept without a meaning: they tell English from other languages. Each entry
counts the training captions with it. WordNet's files come with Debian's `wordnet-base`.
"""

import json
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from clipsearch.models.pocket.dictionary import FILE, MAX_MEANINGS, Entry, noun_forms, pack
from clipsearch.models.pocket.noun_query import MAX_WORDS
from clipsearch.models.pocket.query_words import normalize_word
from training.data.sources import OWN_CAPTIONS
from training.data.wordnet import Synset, read_synsets

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
LICENSE_LINES = 29  # at the top of each file of WordNet
TAXA = ("genus ", "family ", "order ", "class ", "phylum ", "suborder ", "subfamily ")
LEAST_CAPTIONS, MOST_CAPTIONS = 3, 999
RARE = 4  # a meaning that is this much rarer than the most frequent one is left out

# WordNet's categories of nouns (lexnames(5)), in the order in which their meanings are listed.
VISIBLE = {
    name: rank
    for rank, names in enumerate(
        (("animal", "plant"), ("artifact", "food", "body", "object"), ("person", "substance"))
    )
    for name in names
} | dict.fromkeys(("phenomenon", "shape", "location", "possession"), 3)
THINGS = {"animal", "plant", "artifact", "food"}

FUNCTION_WORDS = """
a about above across after against all along although am among amongst an and another any
anybody anyone anything are aren around as at atop be because been before behind being below
beneath beside besides between beyond both but by can cannot could couldn did didn do does doesn
doing don done down during each either else every everybody everyone everything few for from had
hadn has hasn have haven having he her here hers herself him himself his how i if in inside into
is isn it its itself just let like lot ll many may me might mine more most much must my myself
near neither next no nobody none nor not nothing of off on once one only onto or other others
our ours ourselves out outside over past per re s same several shall she should since so some
somebody someone something t than that the their theirs them themselves then there these they
this those though through throughout till to together too toward towards under underneath until
unto up upon us ve versus very via was wasn we were weren what whatever when where wherever
whether which while who whoever whom whose why will with within without won would wouldn yes yet
you your yours yourself yourselves
"""


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--wordnet", type=FOLDER, default="/usr/share/wordnet", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=FILE, show_default=True)
def main(data: Path, wordnet: Path, out: Path) -> None:
    meanings, glosses = read_meanings(wordnet)
    captions = list(training_captions(data))
    words = Counter(word for caption in captions for word in _ascii_words(caption))
    for word, count in words.items():
        if count >= LEAST_CAPTIONS:  # "selfie" is newer than WordNet
            meanings.setdefault(word, [])
    counts = count_captions(captions, meanings)
    entries = {
        word: Entry(min(counts[word], MOST_CAPTIONS), numbers) for word, numbers in meanings.items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(pack(entries, glosses))
    out.with_name("LICENSE").write_text(read_license(wordnet), "utf-8")
    nouns = sum(map(bool, meanings.values()))
    click.echo(f"{len(entries):,} words, {nouns:,} nouns, {len(glosses):,} meanings")


def read_meanings(wordnet: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Return each word with the numbers of its meanings, the best first, and all meanings."""
    synsets = read_synsets(wordnet / "data.noun")
    counts = _counts(wordnet / "cntlist.rev")
    senses: dict[str, list[str]] = {}
    for name, ids in _index(wordnet / "index.noun"):
        found = best_meanings(name, [synsets[id_] for id_ in ids], counts)
        # "sea horse" and "seahorse" are one word here.
        known = senses.setdefault(normalize_word(name), [])
        known += [synset.id for synset in found if synset.id not in known]
    for inflected, noun in _exceptions(wordnet / "noun.exc"):
        senses.setdefault(inflected, senses.get(noun, []))
    used = sorted({id_ for ids in senses.values() for id_ in ids[:MAX_MEANINGS]})
    numbers = {id_: number for number, id_ in enumerate(used)}
    entries = {word: [numbers[id_] for id_ in ids[:MAX_MEANINGS]] for word, ids in senses.items()}
    for word in (*_other_words(wordnet), *FUNCTION_WORDS.split()):
        entries.setdefault(word, [])
    return entries, [synsets[id_].gloss for id_ in used]


def best_meanings(name: str, synsets: Sequence[Synset], counts: Mapping[str, int]) -> list[Synset]:
    """Return the meanings of a noun that an image can show, the best first.

    These are the frequent ones, by the `counts` of sense keys in WordNet's sample of texts, where
    most are 0. Of equally frequent ones, living things and artifacts come first. One of these is
    always included, if there is any.
    """

    def count(synset: Synset) -> int:
        return max(counts.get(key, 0) for key in synset.keys if key.startswith(f"{name}%"))

    visible = [synset for synset in synsets if synset.category in VISIBLE and not _is_taxon(synset)]
    most = max(map(count, visible), default=0)
    frequent = [synset for synset in visible if RARE * count(synset) >= most]
    things = [synset for synset in visible if synset.category in THINGS]
    if things and not any(synset.category in THINGS for synset in frequent):
        frequent.append(max(things, key=count))  # the building that is a pyramid, not the solid
    return sorted(frequent, key=lambda synset: (-count(synset), VISIBLE[synset.category]))


def _is_taxon(synset: Synset) -> bool:
    """Whether a synset is a genus or a higher group: "Paris" is one of plants."""
    return any(lemma.startswith(TAXA) for lemma in synset.lemmas)


def training_captions(data: Path) -> Iterator[str]:
    """Yield all captions of the released model's training."""
    for path in (*sorted(data.glob("*/captions.jsonl")), OWN_CAPTIONS):
        for line in path.read_text("utf-8").splitlines():
            yield from json.loads(line)["captions"]


def count_captions(captions: Iterable[str], known: Container[str]) -> Counter[str]:
    """Count the captions with each known word or name, in the singular or plural."""
    counts: Counter[str] = Counter()
    for caption in captions:
        words = list(map(normalize_word, caption.split()))
        names = {
            "".join(words[start:end])
            for start in range(len(words))
            for end in range(start + 1, start + 1 + MAX_WORDS)
        }
        counts.update({form for name in names for form in noun_forms(name) if form in known})
    return counts


def _ascii_words(caption: str) -> list[str]:
    return re.findall("[a-z]+", caption.lower())


def read_license(wordnet: Path) -> str:
    """Return WordNet's license, from the top of its files."""
    lines = (wordnet / "data.noun").read_text("utf-8").splitlines()[:LICENSE_LINES]
    return "".join(f"{line.strip().lstrip('0123456789').strip()}\n" for line in lines)


def _index(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each lemma and the ids of its synsets, the most frequent first (wndb(5))."""
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("  "):
            fields = line.split()
            yield fields[0], [f"n{offset}" for offset in fields[-int(fields[2]) :]]


def _counts(path: Path) -> dict[str, int]:
    """Return how often each sense occurs in WordNet's sample of texts (cntlist(5))."""
    rows = (line.split() for line in path.read_text("utf-8").splitlines())
    return {key: int(count) for key, _, count in rows}


def _exceptions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield irregular forms and their base forms."""
    for line in path.read_text("utf-8").splitlines():
        inflected, base, *_ = map(normalize_word, line.split())
        yield inflected, base


def _other_words(wordnet: Path) -> Iterator[str]:
    """Yield verbs, adjectives and adverbs of one word, and their irregular forms."""
    for kind in ("verb", "adj", "adv"):
        for lemma, _ in _index(wordnet / f"index.{kind}"):
            if "_" not in lemma:
                yield normalize_word(lemma)
        for inflected, _ in _exceptions(wordnet / f"{kind}.exc"):
            yield inflected


if __name__ == "__main__":
    main()
