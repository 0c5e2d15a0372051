"""Foreign errors as one line."""

LENGTH = 300
"""Of a foreign message in one of ours."""


def line(error: Exception) -> str:
    """The message of a foreign error as one line of sensible length."""
    return short(str(getattr(error, "message", "") or error) or type(error).__name__)


def short(text: str) -> str:
    """One line of at most LENGTH characters."""
    words = " ".join(text.split())
    return words if len(words) <= LENGTH else words[: LENGTH - 1] + "…"
