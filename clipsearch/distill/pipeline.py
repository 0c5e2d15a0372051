"""`distill`: from a teacher and a folder of pictures to a student."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsearch.distill import config, image_dataset, text_dataset
from clipsearch.distill import run_state as folders
from clipsearch.distill.config import Recipe, cache_key
from clipsearch.distill.report import DistillReport, Epoch
from clipsearch.errors import UsageError
from clipsearch.evaluation.agreement import RESULT_LENGTHS, evaluate_agreement
from clipsearch.evaluation.results import Evaluation
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime

if TYPE_CHECKING:
    from clipsearch.distill.student import Student
    from clipsearch.distill.training_loop import Lessons

log = logging.getLogger("clipsearch")


def distill_model(
    teacher: str,
    images: str | Path,
    out: str | Path,
    *,
    captions: str | Path | None = None,
    epochs: int = config.EPOCHS,
    batch_size: int = config.BATCH_SIZE,
    seed: int = 0,
    heads: int | None = None,
    held_out: float = config.HELD_OUT,
    half: bool = False,
    runtime: Runtime | None = None,
    progress: OpenProgress = no_progress,
) -> DistillReport:
    """Train a small image tower to give the vectors of a large one, and write it as a model.

    The student is a vision transformer with half the width and half the layers of the teacher's
    image tower, beside the teacher's text tower; its vectors live in the teacher's space. It learns
    from any pictures under `images`, without captions. With `captions` (a file of one a line, or
    one that `clipsearch eval retrieval` reads) a text tower of half the width and layers is learnt
    too, which a teacher needs whose text tower open_clip cannot load. `heads` are those of the image
    tower (None: 32 wide), `held_out` is the share of pictures only measured on, `half` saves float16.

    The folder `out` is then a model, `local-dir:OUT`. An interrupt leaves a checkpoint of the last
    epoch there, and a model of it; the same call goes on. Raises UsageError on values that cannot
    be, fewer examples than a batch, and a folder of something else; ModelError on a teacher that
    does not load.
    """
    began = time.monotonic()
    runtime = runtime or Runtime.from_options()
    plan = Recipe(epochs, batch_size, seed, heads, held_out)
    name = registry.parse_model_name(
        registry.choose_default()[0] if teacher == "auto" else teacher
    ).name
    lines = text_dataset.read_texts(Path(captions)) if captions is not None else None
    if lines is not None:
        _require(len(lines), plan, f"captions in {captions}")
    items, unread = image_dataset.identified(Path(images), progress)
    _require(len(items), plan, f"pictures in {images}")
    folder = folders.opened(Path(out))
    encoder = registry.load(name, runtime)
    student = _student(encoder, name, plan, own_text=lines is not None)
    settings = {
        "teacher": name,
        "weights": encoder.identity.weights,
        "pictures": cache_key([item.content_hash for item in items]),
        "captions": None if lines is None else cache_key(lines),
        **asdict(plan),
    }
    folders.begin(folder, settings)
    shown = image_dataset.learn_from(items, encoder, student.preprocessing, folder, progress)
    said = None if lines is None else text_dataset.learn_from(lines, encoder, progress)
    job = _Job(folder, student, plan, runtime, progress)
    lessons = [job.lessons(shown, encoder.logit_scale)]
    lessons += [] if said is None else [job.lessons(said, encoder.logit_scale)]
    history, sizes = job.run(lessons, half=half)
    folders.write(folder, {"settings": settings, folders.FINISHED: True})
    image_dataset.forget(folder)
    skipped = (*unread, *shown.skipped)
    held = [shown.paths[place] for place in lessons[0].held_out]
    found = DistillReport(
        folder=folder,
        teacher=name,
        trained=len(lessons[0].trained),
        held_out=len(held),
        skipped=skipped,
        parameters=job.parameters("image"),
        text_parameters=None if said is None else job.parameters("text"),
        sizes=sizes,
        history=history,
        agreement=_agreement(held, folder, encoder, runtime, progress),
        seconds=time.monotonic() - began,
    )
    folders.write(folder, {"settings": settings, folders.FINISHED: True, **found.as_json()})
    return found


@dataclass(frozen=True, slots=True)
class _Job:
    """A student on its way."""

    folder: Path
    student: "Student"
    plan: Recipe
    runtime: Runtime
    progress: OpenProgress

    def lessons(
        self, examples: image_dataset.ImageDataset | text_dataset.Texts, scale: float
    ) -> "Lessons":
        """What a tower is trained on; raises UsageError where that is less than a batch."""
        from clipsearch.distill.training_data import of_images, of_texts

        if isinstance(examples, text_dataset.Texts):
            found, what = of_texts(examples, self.student, self.plan, scale), "captions"
        else:
            found, what = of_images(examples, self.student, self.plan, scale), "readable pictures"
        kind = f"{what} to learn from"
        if len(found.held_out):
            kind += f" besides {len(found.held_out):,} held out"
        _require(len(found.trained), self.plan, kind)
        return found

    def run(
        self, lessons: "Sequence[Lessons]", *, half: bool
    ) -> tuple[tuple[Epoch, ...], dict[str, int]]:
        """Train the towers one after the other and write the student; the epochs, and file sizes."""
        from clipsearch.distill import model_folder
        from clipsearch.distill import training_loop as train
        from clipsearch.models.torch_runtime import pick_device

        where = pick_device(self.runtime.device)
        history: list[Epoch] = []
        try:
            for each in lessons:
                checkpoint = self._checkpoint(each.tower)
                history += train.train(
                    self._tower(each.tower), each, self.plan,
                    device=where, checkpoint=checkpoint, bars=self.progress,
                )  # fmt: skip
        except KeyboardInterrupt:
            self._stop(lessons, half=half)
            raise
        sizes = model_folder.write(self.folder, self.student, half=half)
        for each in lessons:
            self._checkpoint(each.tower).unlink()
        return tuple(history), sizes

    def parameters(self, tower: str) -> int:
        """How many numbers a tower has."""
        return sum(weight.numel() for weight in self._tower(tower).parameters())

    def _stop(self, lessons: "Sequence[Lessons]", *, half: bool) -> None:
        """Write the model of the last checkpoints, if every tower has one, and say how to go on."""
        from clipsearch.distill import model_folder
        from clipsearch.distill import training_loop as train

        done = [
            train.load(self._checkpoint(each.tower), self._tower(each.tower)) for each in lessons
        ]
        if not all(done):
            log.info("stopped before %s holds a model; the same command goes on", self.folder)
            return
        model_folder.write(self.folder, self.student, half=half)
        log.info(
            "stopped after epoch %d of %d of the %s tower: %s holds the model so far, and the same "
            "command goes on",
            done[-1][-1].number, self.plan.epochs, lessons[-1].tower, self.folder,
        )  # fmt: skip

    def _tower(self, name: str) -> Any:
        model = self.student.model
        return model.visual if name == "image" else model.text

    def _checkpoint(self, tower: str) -> Path:
        return self.folder / folders.checkpoint_name(tower)


def _student(encoder: Encoder, name: str, plan: Recipe, *, own_text: bool) -> "Student":
    from clipsearch.distill.student import build

    source = encoder
    if (
        registry.parse_model_name(name).family == "open_clip"
    ):  # its weights are needed, not only its answers
        source = registry.load(name, Runtime("cpu", "torch", "fp32"))
    return build(source, name, heads=plan.heads, own_text=own_text, seed=plan.seed)


def _require(count: int, plan: Recipe, what: str) -> None:
    if count < plan.batch_size:
        raise UsageError(
            f"{count:,} {what} are less than a batch of {plan.batch_size:,}: add some, or give a "
            "smaller --batch-size"
        )


def _agreement(
    held: Sequence[Path], folder: Path, teacher: Encoder, runtime: Runtime, progress: OpenProgress
) -> Evaluation | None:
    """The evaluation of the finished student, as anybody would load it."""
    if len(held) <= max(RESULT_LENGTHS):
        log.warning(
            "%d pictures held out are too few to measure agreement: it takes more than %d",
            len(held), max(RESULT_LENGTHS),
        )  # fmt: skip
        return None
    student = registry.load(f"local-dir:{folder}", runtime)
    with progress("agreement", None) as bar:
        return evaluate_agreement(held, model=student, against=teacher, progress=bar)
