"""Training of the heads: splits without leaks, losses, noise, resumed runs."""

import dataclasses
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.heads import (  # noqa: E402
    CHANNELS,
    RECIPE,
    small_corpus,
    small_heads,
    some_words,
)
from training.data.dataset import trial_rows  # noqa: E402
from training.data.hard_negatives import (  # noqa: E402
    KINDS,
    MIRRORED,
    NO_TEXT,
    balanced,
    make_negative,
    negative_ids,
)
from training.data.sources import CaptionedImage, own_captioned  # noqa: E402
from training.heads.cca_init import fit_cca  # noqa: E402
from training.heads.fusion import principal  # noqa: E402
from training.heads.losses import contrastive, family_shares, ranked  # noqa: E402
from training.heads.model import PLACES, Places  # noqa: E402
from training.heads.noise import cutout, feature_noise  # noqa: E402
from training.heads.train import train  # noqa: E402
from training.image_tower.efficientnet import stages  # noqa: E402
from training.measure.metrics import (  # noqa: E402
    image_to_text,
    precision,
    preference,
    text_to_image,
    top1,
)


def test_a_trial_has_no_test_image_in_its_training_set() -> None:
    flickr = [
        CaptionedImage(Path(f"{n}.jpg"), ("a",), "val" if n < 100 else "train") for n in range(1000)
    ]
    coco = [CaptionedImage(Path(f"{n:012}.jpg"), ("a",), "train") for n in range(140)]
    others = [
        CaptionedImage(Path(f"COCO_val2014_{n:012}.jpg"), ("a",), "train") for n in range(100, 1100)
    ]
    train_rows, held = trial_rows(flickr, coco, others)
    assert not set(train_rows.flickr) & set(held.flickr)
    assert set(train_rows.flickr) | set(held.flickr) == set(range(1000))
    assert set(range(100)) <= set(held.flickr)
    assert not set(train_rows.coco) & set(held.coco)
    assert list(held.coco) == list(range(1, 100, 2))  # the others are among the backgrounds
    assert not set(train_rows.backgrounds) & set(held.backgrounds)
    assert not train_rows.objects
    assert trial_rows(flickr, coco, others) == (train_rows, held)


def test_cca_finds_the_shared_directions() -> None:
    draw = torch.Generator().manual_seed(0)
    shared = torch.randn(500, 3, generator=draw)
    images = torch.cat([shared, torch.randn(500, 5, generator=draw)], 1)
    texts = torch.cat([torch.randn(500, 4, generator=draw), shared * 2], 1)
    start = fit_cca(images, texts, texts)
    seen = torch.nn.functional.normalize((images - start.image_center) @ start.image, dim=1)
    said = torch.nn.functional.normalize((texts - start.text_center) @ start.text, dim=1)
    own = ((seen @ said.T).argmax(1) == torch.arange(500)).float().mean()
    assert own > 0.3  # of 500


def test_contrastive_loss_is_lowest_if_positive_texts_are_nearest() -> None:
    images = torch.eye(3)
    texts = images.repeat_interleave(2, 0)
    same = torch.arange(3)[:, None] == torch.arange(3).repeat_interleave(2)[None]
    scale = torch.tensor(50.0)
    right = contrastive(images, texts, same, scale)
    wrong = contrastive(images, texts.roll(2, 0), same, scale)
    assert right < 0.7  # ln 2 for a choice of two right texts, halved with 0 for the way back
    assert wrong > 10


def test_every_image_without_captions_has_own_captions(shared_data: Path) -> None:
    paths = sorted((shared_data / "backgrounds").glob("*.*"))
    assert all(len(row.captions) == 3 for row in own_captioned(shared_data, paths))
    with pytest.raises(ValueError, match=r"unknown\.jpg has no captions"):
        own_captioned(shared_data, [shared_data / "unknown.jpg"])


def test_large_families_get_no_probability() -> None:
    probabilities = torch.full((1, 4), 0.25)
    members = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 1]])
    shares = family_shares(probabilities, members, 3)
    assert shares[0, 0] == pytest.approx(1, abs=0.01)
    assert shares[0, 1] == 0


def test_cutout_hides_a_rectangle_and_noise_keeps_the_mean() -> None:
    torch.manual_seed(0)
    places = torch.ones(50, PLACES, 2)
    assert (cutout(places, 0.0) == places).all()
    hidden = (cutout(places, 1.0)[..., 0] == 0).sum(1)
    assert (hidden >= 1).all()
    assert (hidden <= 16).all()
    shaken = feature_noise(places, 0.3)
    assert shaken.mean() == pytest.approx(1, abs=0.15)
    assert (shaken == shaken[:, :1]).all()  # one factor for all places of an image


def test_folded_places_give_the_same_output() -> None:
    torch.manual_seed(0)
    part = Places(torch.randn(CHANNELS), torch.rand(CHANNELS) + 0.5, 8)
    places = torch.randn(3, PLACES, CHANNELS)
    torch.testing.assert_close(part.folded()(places), part(part.scaled(places)))


def test_a_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    corpus, words = small_corpus(), some_words()
    whole, parts = small_heads(), small_heads()
    train(whole, corpus, words, RECIPE)

    path = tmp_path / "run.pt"
    epochs = iter([corpus.order])
    with monkeypatch.context() as patch:
        patch.setattr(corpus, "order", lambda draw: next(epochs)(draw))
        with pytest.raises(StopIteration):  # in the second epoch
            train(parts, corpus, words, RECIPE, checkpoint=path)
    resumed = small_heads()
    train(resumed, corpus, words, RECIPE, checkpoint=path)
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict())

    other = small_heads()
    train(other, corpus, words, dataclasses.replace(RECIPE, seed=7), checkpoint=path)
    assert not torch.equal(other.image.linear.weight, whole.image.linear.weight)


@pytest.mark.parametrize(
    ("caption", "kind", "pattern"),
    [
        (
            "A Black and white dog",
            "color",
            r"an? (?P<new>\w+) and white dog|a black and (?P<also>\w+) dog",
        ),
        ("a gray cat, greyish", "color", r"an? (?P<new>\w+) cat, greyish"),
        ("Two cats, upset", "count", r"(?P<new>three|four|five|six) cats, upset"),
        ("a cat in front of a door", "relation", r"a cat (?P<new>behind) a door"),
        ("an orange cat", "color", r"a (?P<new>\w+) cat"),
        ("a young dog", "person", r"an (?P<new>old) dog"),
        ("the man rides", "person", r"the (?P<new>woman|boy) rides"),
    ],
)
def test_a_hard_negative_differs_in_one_word(caption: str, kind: str, pattern: str) -> None:
    for seed in range(20):
        wrong = make_negative(caption, kind, np.random.default_rng(seed))
        assert wrong is not None
        match = re.fullmatch(pattern, wrong.caption)
        assert match is not None
        assert wrong.new in match.groups()
        assert wrong.new not in caption.lower()
        assert wrong.old in caption.lower()


def test_a_caption_without_a_matching_word_has_no_hard_negative() -> None:
    draw = np.random.default_rng(0)
    assert all(make_negative("a cat", kind, draw) is None for kind in KINDS)
    assert make_negative("a blackbird, upset", "color", draw) is None


def test_a_pronoun_that_tells_the_person_has_no_hard_negative() -> None:
    draw = np.random.default_rng(0)
    assert make_negative("a man walks his dog", "person", draw) is None


def test_ids_of_negatives_point_to_their_captions() -> None:
    captions = ["a red car", "a blue car", "a cat", "a dog on the left", "a dog on the right"] * 9
    ids, texts = negative_ids(captions)
    assert ids.shape == (45, len(KINDS))
    assert len(set(texts)) == len(texts)
    color, relation = list(KINDS).index("color"), list(KINDS).index("relation")
    for caption, row in zip(captions, ids, strict=True):
        if row[color] != NO_TEXT:
            assert {caption, texts[row[color]]} == {"a red car", "a blue car"}
    assert (ids[:, color] != NO_TEXT).sum() >= 2
    assert {"left", "right"} <= MIRRORED
    assert (ids[:, relation] == NO_TEXT).all()  # a mirrored view shows the other one


def test_ranked_loss_is_low_if_the_own_text_is_nearer() -> None:
    images, own = torch.eye(3), torch.eye(3)
    scale = torch.tensor(20.0)
    assert ranked(images, own, own.roll(1, 0), scale) < 1e-6
    assert ranked(images, own.roll(1, 0), own, scale) == pytest.approx(20)
    assert ranked(images, own, own, scale) == pytest.approx(np.log(2))
    assert ranked(images[:0], own[:0], own[:0], scale) == 0


def test_a_batch_names_the_captions_of_its_negatives() -> None:
    corpus = small_corpus()
    order = corpus.order(np.random.default_rng(0))
    batch = corpus.batch(order, 2, np.random.default_rng(0))
    assert len(batch.wrong) == 4  # two of them, and each image twice
    assert sorted(batch.kinds.tolist()) == [0, 0, 2, 2]
    for place, kind in zip(batch.wronged.tolist(), batch.kinds.tolist(), strict=True):
        image, caption = divmod(place, 5)
        assert (int(batch.owners[image]), caption) == {0: (2, 1), 2: (5, 4)}[kind]


def test_balanced_negatives_have_both_directions_equally_often() -> None:
    draw = np.random.default_rng(0)
    captions = ["two dogs"] * 50 + ["three cats", "a dog", "four cows"] * 5
    changes = [make_negative(caption, "count", draw) for caption in captions]
    kept = [changes[place] for place in balanced(changes)]
    phrasings = Counter((change.old, change.new) for change in kept if change)
    assert phrasings["two", "three"] == phrasings["three", "two"] > 0
    assert all(count == phrasings[new, old] for (old, new), count in phrasings.items())


def test_principal_axes_are_orthogonal_and_sorted() -> None:
    x = torch.randn(200, 6) * torch.tensor([5.0, 4, 3, 2, 1, 0.5])
    found = principal(x, 3)
    torch.testing.assert_close(found.T @ found, torch.eye(3), atol=1e-5, rtol=0)
    lengths = (x @ found).norm(dim=0)
    assert (lengths.diff() < 0).all()


def test_tower_variants_have_the_published_shapes() -> None:
    assert [stage[3] for stage in stages("lite0")] == [16, 24, 40, 80, 112, 192, 320]
    assert [stage[3] for stage in stages("lite2")] == [16, 24, 48, 88, 120, 208, 352]
    assert sum(stage[4] for stage in stages("lite0")) == 16
    assert sum(stage[4] for stage in stages("lite2")) == 21


def test_metrics_on_small_cases() -> None:
    images, texts = np.eye(3), np.eye(3)[[0, 1, 1]]
    owner = np.array([0, 1, 2])
    assert text_to_image(texts, images, owner).at1 == pytest.approx(200 / 3)
    assert image_to_text(texts, images, owner).at1 == pytest.approx(200 / 3, abs=34)
    assert top1(images, images, [0, 1, 1]) == pytest.approx(200 / 3)
    vectors = np.array([[1.0, 0], [0.99, 0.1], [0, 1], [0.1, 0.99]])
    assert precision(vectors, np.array([0, 0, 1, 1]), 1) == 100
    assert preference(images, images, images[[1, 0, 0]]) == 100
    assert preference(images, images[[0, 1, 0]], images[[1, 0, 2]]) == pytest.approx(200 / 3)
