"""Training the embedded model: splits without leaks, losses, noise, and runs that go on."""

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
from training.data.hard_negatives import KINDS, balanced, changed  # noqa: E402
from training.data.sources import Photograph, described  # noqa: E402
from training.heads.cca_init import closed_form  # noqa: E402
from training.heads.fusion import principal  # noqa: E402
from training.heads.losses import contrastive, family_shares  # noqa: E402
from training.heads.model import PLACES, Places  # noqa: E402
from training.heads.noise import hide, shake  # noqa: E402
from training.heads.train import train  # noqa: E402
from training.image_tower.efficientnet import stages  # noqa: E402
from training.measure.metrics import (  # noqa: E402
    image_to_text,
    precision,
    preferred,
    text_to_image,
    top1,
)


def test_a_trial_is_measured_on_nothing_that_it_learnt_from() -> None:
    flickr = [
        Photograph(Path(f"{n}.jpg"), ("a",), "val" if n < 100 else "train") for n in range(1000)
    ]
    coco = [Photograph(Path(f"{n:012}.jpg"), ("a",), "train") for n in range(140)]
    others = [
        Photograph(Path(f"COCO_val2014_{n:012}.jpg"), ("a",), "train") for n in range(100, 1100)
    ]
    learnt, held = trial_rows(flickr, coco, others)
    assert not set(learnt.flickr) & set(held.flickr)
    assert set(learnt.flickr) | set(held.flickr) == set(range(1000))
    assert set(range(100)) <= set(held.flickr)
    assert not set(learnt.coco) & set(held.coco)
    assert list(held.coco) == list(range(1, 100, 2))  # the others are among the backgrounds
    assert not set(learnt.backgrounds) & set(held.backgrounds)
    assert not learnt.objects
    assert trial_rows(flickr, coco, others) == (learnt, held)


def test_the_closed_form_finds_what_both_sides_share() -> None:
    draw = torch.Generator().manual_seed(0)
    shared = torch.randn(500, 3, generator=draw)
    images = torch.cat([shared, torch.randn(500, 5, generator=draw)], 1)
    texts = torch.cat([torch.randn(500, 4, generator=draw), shared * 2], 1)
    start = closed_form(images, texts, texts)
    seen = torch.nn.functional.normalize((images - start.image_centre) @ start.image, dim=1)
    said = torch.nn.functional.normalize((texts - start.text_centre) @ start.text, dim=1)
    own = ((seen @ said.T).argmax(1) == torch.arange(500)).float().mean()
    assert own > 0.3  # of 500


def test_the_contrastive_loss_is_least_where_all_own_texts_are_nearest() -> None:
    images = torch.eye(3)
    texts = images.repeat_interleave(2, 0)
    same = torch.arange(3)[:, None] == torch.arange(3).repeat_interleave(2)[None]
    scale = torch.tensor(50.0)
    right = contrastive(images, texts, same, scale)
    wrong = contrastive(images, texts.roll(2, 0), same, scale)
    assert right < 0.7  # ln 2 for a choice of two right texts, halved with 0 for the way back
    assert wrong > 10


def test_every_photograph_without_captions_has_some_of_ours(shared_data: Path) -> None:
    photos = sorted((shared_data / "backgrounds").glob("*.*"))
    assert all(len(row.captions) == 3 for row in described(shared_data, photos))
    with pytest.raises(ValueError, match=r"unknown\.jpg has no captions"):
        described(shared_data, [shared_data / "unknown.jpg"])


def test_families_too_large_to_look_like_something_get_no_share() -> None:
    probabilities = torch.full((1, 4), 0.25)
    members = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 1]])
    shares = family_shares(probabilities, members, 3)
    assert shares[0, 0] == pytest.approx(1, abs=0.01)
    assert shares[0, 1] == 0


def test_noise_hides_a_rectangle_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    places = torch.ones(50, PLACES, 2)
    assert (hide(places, 0.0) == places).all()
    hidden = (hide(places, 1.0)[..., 0] == 0).sum(1)
    assert (hidden >= 1).all()
    assert (hidden <= 16).all()
    shaken = shake(places, 0.3)
    assert shaken.mean() == pytest.approx(1, abs=0.15)
    assert (shaken == shaken[:, :1]).all()  # one factor for all places of a picture


def test_folding_changes_nothing() -> None:
    torch.manual_seed(0)
    part = Places(torch.randn(CHANNELS), torch.rand(CHANNELS) + 0.5, 8)
    places = torch.randn(3, PLACES, CHANNELS)
    torch.testing.assert_close(part.folded()(places), part(part.scaled(places)))


def test_a_run_that_was_stopped_ends_where_a_whole_one_does(
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
            "colour",
            r"a (?P<new>\w+) and white dog|a black and (?P<also>\w+) dog",
        ),
        ("a gray cat, greyish", "colour", r"a (?P<new>\w+) cat, greyish"),
        ("Two cats, upset", "count", r"(?P<new>three|four|five|six) cats, upset"),
        ("a cat in front of a door", "relation", r"a cat (?P<new>behind) a door"),
    ],
)
def test_a_caption_is_made_wrong_in_one_word(caption: str, kind: str, pattern: str) -> None:
    for seed in range(20):
        wrong = changed(caption, kind, np.random.default_rng(seed))
        assert wrong is not None
        match = re.fullmatch(pattern, wrong.caption)
        assert match is not None
        assert wrong.new in match.groups()
        assert wrong.new not in caption.lower()
        assert wrong.old in caption.lower()


def test_a_caption_without_a_word_of_the_kind_stays() -> None:
    draw = np.random.default_rng(0)
    assert all(changed("a cat", kind, draw) is None for kind in KINDS)
    assert changed("a blackbird, upset", "colour", draw) is None


def test_as_many_captions_are_changed_one_way_as_the_other() -> None:
    draw = np.random.default_rng(0)
    captions = ["two dogs"] * 50 + ["three cats", "a dog", "four cows"] * 5
    changes = [changed(caption, "count", draw) for caption in captions]
    kept = [changes[place] for place in balanced(changes)]
    ways = Counter((change.old, change.new) for change in kept if change)
    assert ways["two", "three"] == ways["three", "two"] > 0
    assert all(count == ways[new, old] for (old, new), count in ways.items())


def test_directions_are_orthogonal_and_longest_first() -> None:
    x = torch.randn(200, 6) * torch.tensor([5.0, 4, 3, 2, 1, 0.5])
    found = principal(x, 3)
    torch.testing.assert_close(found.T @ found, torch.eye(3), atol=1e-5, rtol=0)
    lengths = (x @ found).norm(dim=0)
    assert (lengths.diff() < 0).all()


def test_variants_of_the_tower_have_the_published_shapes() -> None:
    assert [stage[3] for stage in stages("lite0")] == [16, 24, 40, 80, 112, 192, 320]
    assert [stage[3] for stage in stages("lite2")] == [16, 24, 48, 88, 120, 208, 352]
    assert sum(stage[4] for stage in stages("lite0")) == 16
    assert sum(stage[4] for stage in stages("lite2")) == 21


def test_measures_count_what_they_say() -> None:
    images, texts = np.eye(3), np.eye(3)[[0, 1, 1]]
    owner = np.array([0, 1, 2])
    assert text_to_image(texts, images, owner).at1 == pytest.approx(200 / 3)
    assert image_to_text(texts, images, owner).at1 == pytest.approx(200 / 3, abs=34)
    assert top1(images, images, [0, 1, 1]) == pytest.approx(200 / 3)
    vectors = np.array([[1.0, 0], [0.99, 0.1], [0, 1], [0.1, 0.99]])
    assert precision(vectors, np.array([0, 0, 1, 1]), 1) == 100
    assert preferred(images, images, images[[1, 0, 0]]) == 100
    assert preferred(images, images[[0, 1, 0]], images[[1, 0, 2]]) == pytest.approx(200 / 3)
