"""Measure the quality of a model on the user's data, as `clipsearch eval` does."""

from clipsearch.evaluation.agreement import evaluate_agreement, read_queries
from clipsearch.evaluation.ann_recall import evaluate_ann_recall
from clipsearch.evaluation.captions import CaptionedImage, read_captions
from clipsearch.evaluation.compare import compare_models
from clipsearch.evaluation.index_tuning import RecallMeter, tune_index
from clipsearch.evaluation.results import Estimate, Evaluation, Measure
from clipsearch.evaluation.retrieval import evaluate_retrieval
from clipsearch.evaluation.textness import evaluate_textness
from clipsearch.evaluation.zero_shot import ENSEMBLE, evaluate_zero_shot, read_class_names

__all__ = [
    "ENSEMBLE",
    "CaptionedImage",
    "Estimate",
    "Evaluation",
    "Measure",
    "RecallMeter",
    "compare_models",
    "evaluate_agreement",
    "evaluate_ann_recall",
    "evaluate_retrieval",
    "evaluate_textness",
    "evaluate_zero_shot",
    "read_captions",
    "read_class_names",
    "read_queries",
    "tune_index",
]
