"""The form of a text in which texts are compared."""

import re
import unicodedata

# Letters with a stroke and the like, which Unicode does not decompose into a letter and an accent.
_BASE_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)

# Soft hyphens, spaces of no width, marks of direction: texts that are copied have them.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)


def search_form(text: str) -> str:
    """Return a text without the differences of case, width and spacing that readers ignore.

    Compatibility forms (NFKC) such as full-width letters and ligatures become the ordinary ones,
    and each white space, with line breaks, one space. Characters that show nothing are left out.
    """
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())  # folding may decompose


def without_accents(text: str) -> str:
    """Return a text in search form without the accents and strokes of its letters.

    Marks of other kinds stay, such as that which makes が of か.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(char for char in decomposed if not "\u0300" <= char <= "\u036f")
    return unicodedata.normalize("NFKC", letters.translate(_BASE_LETTERS))
