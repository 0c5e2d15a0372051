"""Patch tokens of vision transformers, on a small one with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import UsageError
from clipsearch.explain.explanation import explain_match
from clipsearch.explain.patches import PatchEncoder
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from tests.helpers.checkpoints import (
    CLIP_PREPROCESSING,
    rn50,
    save_open_clip,
    synthetic_image,
    vit_b_32,
)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = save_open_clip(tmp_path_factory.mktemp("vit") / "m", vit_b_32(), CLIP_PREPROCESSING)
    return registry.load(f"local-dir:{folder}", Runtime(device="cpu", runtime="torch"))


def by_plain_loops(encoder: Any, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same in the plainest possible way: one head and one token at a time."""
    import torch

    visual = encoder._model.visual
    with torch.no_grad():
        x = visual._embeds(torch.from_numpy(pixels)[None])
        for layer in list(visual.transformer.resblocks)[:-1]:
            x = layer(x)
        last = visual.transformer.resblocks[-1]
        tokens = last.ln_1(x)[0].double()
        attention = last.attn.double()
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        width, heads = tokens.shape[1], attention.num_heads
        query = tokens @ weight[:width].T + bias[:width]
        value = tokens @ weight[2 * width :].T + bias[2 * width :]
        rows = []
        for token in range(len(tokens)):
            parts = []
            for head in range(heads):
                own = slice(head * width // heads, (head + 1) * width // heads)
                scores = query[:, own] @ query[token, own] / np.sqrt(width // heads)
                parts.append(scores.softmax(0) @ value[:, own])
            rows.append(torch.cat(parts) @ attention.out_proj.weight.T + attention.out_proj.bias)
        attention.float()
        mixed = visual.ln_post(torch.stack(rows).float()) @ visual.proj
    return np.asarray(mixed[1:].reshape(7, 7, -1))


def test_patches_are_those_of_the_paper(vit: Encoder) -> None:
    assert isinstance(vit, PatchEncoder)
    assert vit.has_patches
    pixels = vit.preprocess(synthetic_image())
    found = vit.encode_patches([pixels, pixels])
    assert found.shape == (2, 7, 7, vit.identity.dim)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1], by_plain_loops(vit, pixels), atol=1e-4)


def test_explanations_by_patches(vit: Encoder) -> None:
    found = explain_match("a red umbrella", synthetic_image(), model=vit)
    assert found.method == "patches"
    assert 0 == found.heat_map.min() < found.heat_map.max() == 1
    assert (
        explain_match("red", synthetic_image(), model=vit, method="occlusion").method == "occlusion"
    )


def test_a_convolutional_network_has_no_patches(tmp_path: Path) -> None:
    folder = save_open_clip(tmp_path / "rn", rn50(), CLIP_PREPROCESSING)
    with pytest.raises(UsageError, match="has no patch embeddings: use the method occlusion"):
        explain_match(
            "red",
            synthetic_image(),
            model=f"local-dir:{folder}",
            method="patches",
            runtime=Runtime("cpu"),
        )
