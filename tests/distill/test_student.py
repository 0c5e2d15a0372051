"""The student as it is built and saved, without any training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.distill.student import Student, build_student, count_parameters
from clipsearch.errors import UsageError
from clipsearch.models import registry
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.models.runtime import Runtime
from clipsearch.vectors import normalize
from tests.helpers import checkpoints
from tests.helpers.checkpoints import CLIP_PREPROCESSING, SIGLIP_PREPROCESSING


def vit_b_32() -> dict[str, Any]:
    """A ViT-B/32 with the published image tower and a small text tower."""
    config = checkpoints.vit_b_32(512)
    config["vision_cfg"] |= {"layers": 12, "width": 768}
    config["text_cfg"] |= {"layers": 1, "width": 64}
    return config


def student_of(
    config: dict[str, Any], preprocessing: dict[str, Any], folder: Path, **options: Any
) -> Student:
    name = f"local-dir:{checkpoints.save_open_clip(folder, config, preprocessing)}"
    teacher = registry.load(name, Runtime(device="cpu", runtime="torch", precision="fp32"))
    return build_student(
        teacher, name, **{"heads": None, "distill_text": False, "seed": 0, **options}
    )


@pytest.mark.parametrize("heads", [None, 24])
def test_the_student_of_a_vit_b_32_has_12_million_parameters(
    heads: int | None, tmp_path: Path
) -> None:
    student = student_of(vit_b_32(), CLIP_PREPROCESSING, tmp_path / "vit", heads=heads)
    visual = student.model.visual
    assert count_parameters(visual) == pytest.approx(12.0e6, rel=0.01)
    assert 4 * count_parameters(visual) == pytest.approx(48e6, rel=0.01)  # bytes in float32
    assert visual.conv1.out_channels == 384
    assert len(visual.transformer.resblocks) == 6
    assert visual.transformer.resblocks[0].attn.num_heads == (heads or 12)
    assert visual.output_dim == 512
    assert visual.image_size == (224, 224)


ARCHITECTURES: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any], int, int]] = {
    "RN50": (checkpoints.rn50, CLIP_PREPROCESSING, 384, 6),
    "SigLIP": (checkpoints.siglip, SIGLIP_PREPROCESSING, 96, 6),
    "CoCa": (checkpoints.coca, CLIP_PREPROCESSING, 64, 1),
}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_text_tower_is_the_teachers(kind: str, tmp_path: Path) -> None:
    config, preprocessing, width, layers = ARCHITECTURES[kind]
    student = student_of(config(), preprocessing, tmp_path / "teacher")
    assert student.model.visual.conv1.out_channels == width
    assert len(student.model.visual.transformer.resblocks) == layers
    (tmp_path / "student").mkdir()
    student.save(tmp_path / "student", half=False)
    loaded, teacher = (
        registry.load(f"local-dir:{tmp_path / name}", Runtime(device="cpu", runtime="torch"))
        for name in ("student", "teacher")
    )
    texts = list(checkpoints.PROMPTS)
    found, expected = (normalize(encoder.encode_texts(texts)) for encoder in (loaded, teacher))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert loaded.logit_scale == pytest.approx(teacher.logit_scale)
    quick = "QuickGELU" in teacher.identity.preprocessing
    assert ("QuickGELU" in loaded.identity.preprocessing) == quick
    image = checkpoints.synthetic_image()
    np.testing.assert_allclose(loaded.preprocess(image), teacher.preprocess(image), atol=1e-6)


def test_the_text_tower_may_be_half_as_large(tmp_path: Path) -> None:
    student = student_of(
        checkpoints.siglip(), SIGLIP_PREPROCESSING, tmp_path / "siglip", distill_text=True
    )
    assert student.config["text_cfg"]["width"] == 64
    assert student.config["text_cfg"]["layers"] == 1
    tokens = student.tokenize(["a dog"])
    assert student.model.text(tokens).shape == (1, 192)


def test_the_student_of_another_library_has_its_own_text_tower() -> None:
    student = build_student(PocketEncoder(), "pocket", heads=None, distill_text=True, seed=0)
    assert count_parameters(student.model.visual) == pytest.approx(12.0e6, rel=0.01)
    assert student.preprocess["resize_mode"] == "squash"
    assert float(student.model.logit_scale.detach().exp()) == pytest.approx(
        PocketEncoder().logit_scale
    )
    with pytest.raises(UsageError, match="text tower of pocket"):
        build_student(PocketEncoder(), "pocket", heads=None, distill_text=False, seed=0)


def test_the_same_seed_builds_the_same_student() -> None:
    import torch

    torch.manual_seed(5)
    before = torch.rand(3)
    torch.manual_seed(5)
    first, same, other = (
        build_student(
            PocketEncoder(), "pocket", heads=None, distill_text=True, seed=seed
        ).model.visual.proj
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.rand(3), before)  # the global random state is unchanged
