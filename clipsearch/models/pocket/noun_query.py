"""The noun that a short query or a class prompt consists of: "a photo of a sea horse"."""

import re

MAX_WORDS = 4  # of a noun; the names of WordNet with more are proverbs and the like

_PROMPT = re.compile(
    r"(?:(?:an?|the|one|some|my)\s+)?"
    r"(?:(?:colou?r|sharp|blurred|cropped|old|studio|close-up)\s+)?"
    r"(?:photo(?:graph)?|picture|image|snapshot|shot|close-?up|view)s?\s+(?:of|with|showing)\s+",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"(?:an?|the|one|some|my)\s+(?=\S)", re.IGNORECASE)
_END = re.compile(r"(?:\s+in\s+(?:it|the\s+(?:photo|picture|image)))?[\s.!?]*$", re.IGNORECASE)
# WordNet has meanings even for these: playing cards, blood groups.
_NO_NAME = re.compile(
    r"[a-z]|\d+|an|the|some|my|all|both|few|many|several|one|two|three|four|five|six|seven|eight|"
    r"nine|ten|eleven|twelve|dozen|hundred|thousand",
    re.IGNORECASE,
)
_NAME = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def noun_of(query: str) -> str | None:
    """The words of a query without its prompt and article, if they may be the name of a thing.

    None if there are more than MAX_WORDS, or anything but words: quotes, commas, symbols; and for a
    number or a single letter.
    """
    text = _END.sub("", query.strip())
    if prompt := _PROMPT.match(text):
        text = text[prompt.end() :]
    if article := _ARTICLE.match(text):
        text = text[article.end() :]
    words = text.split()
    if not 0 < len(words) <= MAX_WORDS or not all(map(_NAME.fullmatch, words)):
        return None
    name = " ".join(words)
    return None if _NO_NAME.fullmatch(name) else name
