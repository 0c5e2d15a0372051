"""SkippedFiles: the files of a walk that are not read, counted by suffix."""

from clipsearch.escape import escape_control
from clipsearch.images.optional import missing_decoders

_LONGEST_SUFFIX = 10  # a longer one, or one of the further thousands, is part of a name
_MOST_SUFFIXES = 1000
_SHOWN = 8


class SkippedFiles:
    """Counts the files that a walk meets and does not take."""

    def __init__(self) -> None:
        self.suffixes: dict[str, int] = {}
        """Files of other formats by lower-case suffix; "" counts files without a usual suffix."""
        self.raw_pairs = 0
        """Camera raw files that were left out because of a JPEG or HEIC of the same name."""

    def add(self, suffix: str) -> None:
        """Count a file of another format; `suffix` begins with a dot, or is empty."""
        known = suffix in self.suffixes
        if not known and (len(suffix) > _LONGEST_SUFFIX or len(self.suffixes) > _MOST_SUFFIXES):
            suffix = ""
        self.suffixes[suffix] = self.suffixes.get(suffix, 0) + 1

    def merge(self, other: "SkippedFiles") -> None:
        """Add the counts of another one."""
        self.raw_pairs += other.raw_pairs
        for suffix, count in other.suffixes.items():
            self.suffixes[suffix] = self.suffixes.get(suffix, 0) + count

    def describe(self) -> str:
        """Return "12 of other formats (.psd 10, .mov 2)" and what else was skipped, or ""."""
        parts = []
        if self.suffixes:
            parts.append(self._describe_suffixes())
        if self.raw_pairs:
            parts.append(f"{self.raw_pairs:,} camera raw beside a JPEG or HEIC of the same name")
        advice: dict[str, list[str]] = {}
        for suffix in sorted(self.suffixes.keys() & missing_decoders().keys()):
            advice.setdefault(missing_decoders()[suffix].advice, []).append(suffix)
        parts += [f"to read {', '.join(found)}: {how}" for how, found in advice.items()]
        return "; ".join(parts)

    def _describe_suffixes(self) -> str:
        ranked = sorted(self.suffixes.items(), key=lambda item: (not item[0], -item[1], item[0]))
        shown = [
            f"{escape_control(suffix) or 'without suffix'} {count:,}"
            for suffix, count in ranked[:_SHOWN]
        ]
        if rest := sum(count for _, count in ranked[_SHOWN:]):
            shown.append(f"others {rest:,}")
        return f"{sum(self.suffixes.values()):,} of other formats ({', '.join(shown)})"
