"""Templates and built-in sets."""

import pytest

from clipsearch.classify import (
    TEMPLATES,
    resolve_templates,
)
from clipsearch.errors import UsageError


def test_templates_and_sets_are_resolved_without_repetition() -> None:
    assert resolve_templates(["plain", "a {}", "{}"]) == ("{}", "a {}")
    assert resolve_templates("plain") == ("{}",)
    assert len(TEMPLATES["contexts"]) == len(set(TEMPLATES["contexts"])) == 80
    assert all("{}" in template for each in TEMPLATES.values() for template in each)
    for wrong in (["a photo"], []):
        with pytest.raises(UsageError, match=r"\{\}"):
            resolve_templates(wrong)
