"""SkippedFiles: the files of a walk that are not read, counted by suffix."""

from clipsearch.escape import escape_control

_LONGEST_SUFFIX = 10  # a longer one, or one of the further thousands, is part of a name
_MOST_SUFFIXES = 1000
_SHOWN = 8


class SkippedFiles:
    """Counts the files that a walk meets and does not take."""

    def __init__(self) -> None:
        self.suffixes: dict[str, int] = {}
        """Files of other formats by lower-case suffix; "" counts files without a usual suffix."""

    def add(self, suffix: str) -> None:
        """Count a file of another format; `suffix` begins with a dot, or is empty."""
        known = suffix in self.suffixes
        if not known and (len(suffix) > _LONGEST_SUFFIX or len(self.suffixes) > _MOST_SUFFIXES):
            suffix = ""
        self.suffixes[suffix] = self.suffixes.get(suffix, 0) + 1

    def describe(self) -> str:
        """Return "12 of other formats (.psd 10, .mov 2)", or "" if there are none."""
        if not self.suffixes:
            return ""
        ranked = sorted(self.suffixes.items(), key=lambda item: (not item[0], -item[1], item[0]))
        shown = [
            f"{escape_control(suffix) or 'without suffix'} {count:,}"
            for suffix, count in ranked[:_SHOWN]
        ]
        if rest := sum(count for _, count in ranked[_SHOWN:]):
            shown.append(f"others {rest:,}")
        return f"{sum(self.suffixes.values()):,} of other formats ({', '.join(shown)})"
