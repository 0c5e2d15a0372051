"""Make a classifier from a list of labels, or from a linear probe."""

from collections.abc import Callable, Sequence

from clipsearch.classify.class_matrix import build_class_matrix
from clipsearch.classify.linear_probe import LinearProbe
from clipsearch.classify.predictions import Classifier
from clipsearch.classify.templates import DEFAULT_TEMPLATES
from clipsearch.models.base import Encoder, ModelIdentity


def to_classifier(
    labels: Sequence[str] | LinearProbe,
    templates: Sequence[str] = DEFAULT_TEMPLATES,
    *,
    model: ModelIdentity,
    encoder: Callable[[], Encoder],
) -> Classifier:
    """Return a classifier for the vectors of `model`; see `build_class_matrix` for labels.

    Raises ModelMismatchError if another model made the probe.
    """
    if isinstance(labels, LinearProbe):
        labels.check_model(model)
        return labels
    return build_class_matrix(labels, templates, model=model, encoder=encoder)
