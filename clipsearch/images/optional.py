"""Decoders that an extra of clipsearch installs, and which of them are there."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from clipsearch.errors import MissingDecoderError
from clipsearch.images.formats import suffixes_of


@dataclass(frozen=True, slots=True)
class OptionalDecoder:
    """A package that reads one format, and the extra of clipsearch that installs it.

    `format` is the name in `formats.FORMATS`, `title` the one for people. `needed` is False if most
    files of the format can be read without it.
    """

    format: str
    title: str
    package: str
    extra: str
    needed: bool = True

    @property
    def installed(self) -> bool:
        """Whether the package can be found; it is not imported."""
        return find_spec(self.package) is not None

    @property
    def advice(self) -> str:
        """How to install it, as a phrase."""
        return f"pip install 'clipsearch[{self.extra}]'"


OPTIONAL_DECODERS = (
    OptionalDecoder("raw", "camera raw", "rawpy", "raw"),
    OptionalDecoder("jpegxl", "JPEG XL", "pylibjxl", "jxl"),
    OptionalDecoder("svg", "SVG", "resvg_py", "svg"),
    OptionalDecoder("tiff", "TIFF in every compression", "imagecodecs", "tiff", needed=False),
)
"""All of them, in the order of the documentation."""


def require_decoder(format_name: str) -> ModuleType:
    """Import the package that reads a format; raises MissingDecoderError that names the extra."""
    decoder = next(decoder for decoder in OPTIONAL_DECODERS if decoder.format == format_name)
    try:
        return import_module(decoder.package)
    except ImportError as error:
        raise _missing(decoder) from error


def require_installed(format_name: str) -> None:
    """Raise MissingDecoderError if a format needs a package that cannot be found."""
    for decoder in OPTIONAL_DECODERS:
        if decoder.format == format_name and decoder.needed and not decoder.installed:
            raise _missing(decoder)


def _missing(decoder: OptionalDecoder) -> MissingDecoderError:
    return MissingDecoderError(
        f"unsupported: {decoder.title} needs another package: {decoder.advice}"
    )


@cache
def missing_decoders() -> dict[str, OptionalDecoder]:
    """The decoders that are not installed, by each lower-case suffix that they would read."""
    return {
        suffix: decoder
        for decoder in OPTIONAL_DECODERS
        if decoder.needed and not decoder.installed
        for suffix in suffixes_of(decoder.format)
    }
