"""The ONNX files of a text reader: those in the wheel of rapidocr, or a user's own."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from clipsearch.errors import UsageError

INSTALL = "pip install 'clipsearch[ocr]'"

# The newest of each, if the wheel or a user's downloads have added others.
_DETECTION = "PP-OCRv*_det_small.onnx"
_RECOGNITION = "PP-OCRv*_rec_small.onnx"
_ORIENTATION = "*_cls_*.onnx"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Files that find lines of text, tell which are upside down, and recognize them.

    `characters` is the text file with a character on each line, for models that do not carry them.
    """

    detection: Path
    orientation: Path
    recognition: Path
    characters: Path | None = None

    def fingerprint(self) -> str:
        """The name of the recognition file, and a hash of the files that decide about the text."""
        digest = hashlib.sha256()
        for path in (self.detection, self.orientation, self.recognition, self.characters):
            if path is not None:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return f"{self.recognition.stem}-{digest.hexdigest()[:8]}"


def find_model_files(model: str | None = None) -> ModelFiles:
    """Find the files of a model: by default the one in the wheel of rapidocr.

    `model` is a folder with a recognition model (`*rec*.onnx`), an ONNX file of one, or the name of
    one in the folder of rapidocr. What it lacks is taken from the wheel. Raises UsageError, with
    what to do, if the extra is not installed or if a file is not there; downloads nothing.
    """
    wheel = _wheel_folder()
    built_in = ModelFiles(
        *(_newest(wheel, pattern) for pattern in (_DETECTION, _ORIENTATION, _RECOGNITION))
    )
    if model is None:
        return built_in
    path = Path(model).expanduser()
    if path.is_dir():
        return _own_files(path, built_in)
    if path.is_file():
        return ModelFiles(built_in.detection, built_in.orientation, path, _characters(path.parent))
    found = sorted(file for file in wheel.glob("*rec*.onnx") if model.lower() in file.name.lower())
    exact = [file for file in found if model in (file.name, file.stem)]
    if len(exact or found) == 1:
        return ModelFiles(built_in.detection, built_in.orientation, (exact or found)[0])
    there = ", ".join(file.stem for file in found or sorted(wheel.glob("*rec*.onnx")))
    raise UsageError(
        f"--ocr-model {model}: there is no such folder, and {len(found) or 'no'} models of this "
        f"name are in {wheel} (there: {there}); nothing is downloaded: give the folder of a model"
    )


def _wheel_folder() -> Path:
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None or find_spec("cv2") is None:
        raise UsageError(f"reading text needs another package: {INSTALL}")
    return Path(spec.origin).parent / "models"


def _newest(folder: Path, pattern: str) -> Path:
    if files := sorted(folder.glob(pattern)):
        return files[-1]
    raise UsageError(
        f"{folder} has no {pattern}; nothing is downloaded: install it again "
        "(pip install --force-reinstall --no-deps rapidocr)"
    )


def _own_files(folder: Path, built_in: ModelFiles) -> ModelFiles:
    def find(kind: str) -> Path | None:
        files = sorted(folder.glob(f"*{kind}*.onnx"))
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            raise UsageError(f"--ocr-model: {folder} has several *{kind}*.onnx ({names}): keep one")
        return files[0] if files else None

    recognition = find("rec")
    if recognition is None:
        raise UsageError(
            f"--ocr-model: {folder} has no *rec*.onnx: put a recognition model of PaddleOCR into "
            "it, in ONNX format"
        )
    return ModelFiles(
        find("det") or built_in.detection,
        find("cls") or built_in.orientation,
        recognition,
        _characters(folder),
    )


def _characters(folder: Path) -> Path | None:
    """The only text file of a folder that is not a readme."""
    files = [path for path in sorted(folder.glob("*.txt")) if "readme" not in path.name.lower()]
    return files[0] if len(files) == 1 else None
