"""Whether a text is in another language than English, which the model does not know.

The words decide. Those of the dictionary are English, except a few short ones that are far more
common in another language, such as "der" and "une".
"""

import re
from collections.abc import Callable

from clipsearch.models.pocket.dictionary import Dictionary
from clipsearch.models.pocket.query_words import normalize_word

FOREIGN_SHARE = 0.5  # of the words of a text in another language

# Frequent words of German, Dutch, French, Spanish, Italian, Portuguese, Polish, Turkish, Swedish.
_FOREIGN_WORDS = """
der das den dem ein eine einen einem einer und mit auf im zum zur von vor bei aus fur uber ist
sind nicht het een van op voor le la les un une des du au aux et dans sur avec sous chez est
pour el los una unos unas del al por para en y il gli uno nel nella della di che sul sulla um
uma nas nos dos das em com na nad przy ze jest bir ve ile icin ett och som till
"""
_FOREIGN = frozenset(_FOREIGN_WORDS.split())
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def is_foreign(text: str, dictionary: Dictionary, is_common: Callable[[str], bool]) -> bool:
    """Whether at least half of a text's words are those of another language.

    A word that is not in the dictionary may also be a new one or a name. So a word that is alone
    must be unusual besides: not `is_common`.
    """
    words = [word for word in _WORD.findall(text) if len(word) > 1 or not word.isascii()]
    foreign = [word for word in words if _is_foreign_word(word, dictionary)]
    if not foreign or len(foreign) < FOREIGN_SHARE * len(words) or dictionary.knows(text):
        return False
    return len(words) > 1 or not is_common(words[0])


def _is_foreign_word(word: str, dictionary: Dictionary) -> bool:
    return normalize_word(word) in _FOREIGN or not dictionary.knows(word)
