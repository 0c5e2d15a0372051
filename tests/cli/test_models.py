"""`clipsearch models`."""

import json

from tests.helpers.commands import Run


def test_models_are_listed(run: Run) -> None:
    listed = run("models").stdout
    assert "pocket" in listed
    assert "ViT-B-32-256/datacomp_s34b_b86k" in listed
    rows = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    assert next(row for row in rows if row["name"] == "pocket")["local"] is True
