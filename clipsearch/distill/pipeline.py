"""Distill a teacher into a student: read examples, train, write the model, evaluate."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.distill.config import BATCH_SIZE, EPOCHS, HELD_OUT, TrainingConfig, cache_key
from clipsearch.distill.image_dataset import hash_images, prepare_images
from clipsearch.distill.pixel_file import delete_pixels
from clipsearch.distill.report import DistillReport, EpochMetrics
from clipsearch.distill.run_state import (
    check_output_folder,
    checkpoint_path,
    finish_run,
    start_run,
)
from clipsearch.distill.text_dataset import prepare_texts, read_texts
from clipsearch.errors import UsageError
from clipsearch.evaluation.agreement import RESULT_LENGTHS, evaluate_agreement
from clipsearch.evaluation.results import Evaluation
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime, require_torch

if TYPE_CHECKING:
    from clipsearch.distill.student import Student
    from clipsearch.distill.training_data import TrainingData

log = logging.getLogger("clipsearch")


def distill_model(
    teacher: str,
    images: str | Path,
    output: str | Path,
    *,
    captions: str | Path | None = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    heads: int | None = None,
    held_out: float = HELD_OUT,
    half: bool = False,
    runtime: Runtime | None = None,
    progress: OpenProgress = no_progress,
) -> DistillReport:
    """Train a small image tower to give the vectors of a large one, and write it as a model.

    The student is a vision transformer with half the width and half the layers of the teacher's
    image tower, next to the teacher's text tower. Its vectors are in the teacher's space. It is
    trained on any images in the folder `images`; captions are not needed.

    With `captions` (a file with one a line, or one that `clipsearch eval retrieval` reads), a text
    tower of half the width and layers is trained too. A teacher needs this if open_clip cannot load
    its text tower. `heads` are those of the image tower (None: 32 wide each), `held_out` is the
    share of images that are only measured on, `half` saves float16.

    The folder `output` is then the model `local-dir:OUTPUT`. An interrupt leaves a checkpoint and a
    model of the last epoch there, and the same call continues. Raises UsageError on invalid values,
    fewer examples than a batch, and an output folder that holds something else; ModelError if torch
    is not installed or the teacher cannot be loaded.
    """
    require_torch("distillation")
    started = time.monotonic()
    runtime = runtime or Runtime.from_options()
    config = TrainingConfig(epochs, batch_size, seed, heads, held_out)
    teacher_name = registry.choose_default()[0] if teacher == "auto" else teacher
    teacher_name = registry.parse_model_name(teacher_name).name
    texts = None if captions is None else read_texts(Path(captions))
    if texts is not None:
        _require_batch(len(texts), config, f"captions in {captions}")
    files, unreadable = hash_images(Path(images), progress)
    _require_batch(len(files), config, f"images in {images}")
    folder = check_output_folder(Path(output))
    encoder = registry.load(teacher_name, runtime)
    student = _build_student(encoder, teacher_name, config, distill_text=texts is not None)
    settings = {
        "teacher": teacher_name,
        "weights": encoder.identity.weights,
        "images": cache_key([file.content_hash for file in files]),
        "captions": None if texts is None else cache_key(texts),
        **asdict(config),
    }
    start_run(folder, settings)
    image_dataset = prepare_images(files, encoder, student.preprocessing, folder, progress)
    text_dataset = None if texts is None else prepare_texts(texts, encoder, progress)

    from clipsearch.distill.student import count_parameters
    from clipsearch.distill.training_data import image_training_data, text_training_data

    image_data = image_training_data(image_dataset, student, config, encoder.logit_scale)
    _require_training_batch(image_data, config, "readable images")
    data = [image_data]
    if text_dataset is not None:
        data.append(text_training_data(text_dataset, student, config, encoder.logit_scale))
        _require_training_batch(data[-1], config, "captions")
    training = _Training(folder, student, data, config)
    history = training.run(runtime, progress, half=half)
    sizes = student.save(folder, half=half)
    training.delete_checkpoints()
    finish_run(folder, settings, {})
    delete_pixels(folder)
    held_out_paths = [image_dataset.paths[index] for index in image_data.held_out_indices]
    report = DistillReport(
        folder=folder,
        teacher=teacher_name,
        trained=len(image_data.train_indices),
        held_out=len(held_out_paths),
        skipped=(*unreadable, *image_dataset.skipped),
        parameters=count_parameters(student.tower("image")),
        text_parameters=None if texts is None else count_parameters(student.tower("text")),
        sizes=sizes,
        history=history,
        agreement=_evaluate(held_out_paths, folder, encoder, runtime, progress),
        seconds=time.monotonic() - started,
    )
    finish_run(folder, settings, report.as_json())
    return report


@dataclass(frozen=True, slots=True)
class _Training:
    """The training of a student's towers, one after the other, with checkpoints in `folder`."""

    folder: Path
    student: "Student"
    data: "Sequence[TrainingData]"
    config: TrainingConfig

    def run(
        self, runtime: Runtime, progress: OpenProgress, *, half: bool
    ) -> tuple[EpochMetrics, ...]:
        """Train all towers; on an interrupt, save the model of the last checkpoints."""
        from clipsearch.distill.training_loop import train_tower
        from clipsearch.models.torch_runtime import pick_device

        device = pick_device(runtime.device)
        history: list[EpochMetrics] = []
        try:
            for data in self.data:
                history += train_tower(
                    self.student.tower(data.tower),
                    data,
                    self.config,
                    device=device,
                    checkpoint=checkpoint_path(self.folder, data.tower),
                    open_progress=progress,
                )
        except KeyboardInterrupt:
            self._save_interrupted(half=half)
            raise
        return tuple(history)

    def delete_checkpoints(self) -> None:
        """Delete the checkpoints of all towers."""
        for data in self.data:
            checkpoint_path(self.folder, data.tower).unlink()

    def _save_interrupted(self, *, half: bool) -> None:
        """Save the model of the last checkpoints if every tower has one; log how to continue."""
        from clipsearch.distill.checkpoint import load_checkpoint

        histories = [
            load_checkpoint(
                checkpoint_path(self.folder, data.tower), self.student.tower(data.tower)
            )
            for data in self.data
        ]
        if not all(histories):
            log.info(
                "interrupted before %s holds a model; run the same command to continue", self.folder
            )
            return
        self.student.save(self.folder, half=half)
        log.info(
            "interrupted after epoch %d of %d of the %s tower: %s holds the model so far; run the "
            "same command to continue",
            histories[-1][-1].number,
            self.config.epochs,
            self.data[-1].tower,
            self.folder,
        )


def _build_student(
    encoder: Encoder, name: str, config: TrainingConfig, *, distill_text: bool
) -> "Student":
    from clipsearch.distill.student import build_student

    source = encoder
    if registry.parse_model_name(name).family == "open_clip":  # its torch weights are copied
        source = registry.load(name, Runtime("cpu", "torch", "fp32"))
    return build_student(
        source, name, heads=config.heads, distill_text=distill_text, seed=config.seed
    )


def _require_batch(count: int, config: TrainingConfig, examples: str) -> None:
    if count < config.batch_size:
        raise UsageError(
            f"{count:,} {examples} are less than a batch of {config.batch_size:,}: add some, or "
            "give a smaller --batch-size"
        )


def _require_training_batch(data: "TrainingData", config: TrainingConfig, examples: str) -> None:
    held_out = len(data.held_out_indices)
    besides = f" besides {held_out:,} held out" if held_out else ""
    _require_batch(len(data.train_indices), config, f"{examples} to train on{besides}")


def _evaluate(
    held_out: Sequence[Path],
    folder: Path,
    teacher: Encoder,
    runtime: Runtime,
    open_progress: OpenProgress,
) -> Evaluation | None:
    """Evaluate the finished student, loaded as any model; returns None on too few images."""
    if len(held_out) <= max(RESULT_LENGTHS):
        log.warning(
            "%d held-out images are too few to measure agreement: it takes more than %d",
            len(held_out),
            max(RESULT_LENGTHS),
        )
        return None
    student = registry.load(f"local-dir:{folder}", runtime)
    with open_progress("agreement", None) as progress:
        return evaluate_agreement(held_out, model=student, against=teacher, progress=progress)
