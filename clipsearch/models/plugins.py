"""Models of other packages, registered in the entry point group `clipsearch.models`."""

import inspect
from typing import TYPE_CHECKING

from clipsearch.errors import ClipsearchError, ModelError
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

GROUP = "clipsearch.models"


def find_plugins() -> dict[str, str]:
    """The registered models and their packages, sorted by name; imports none of them."""
    return {point.name: _package(point) for point in sorted(_entry_points())}


def load_plugin(name: str, runtime: Runtime) -> Encoder:
    """Call the `load` function of a plug-in, with the runtime if it has a parameter.

    Raises ModelError if it fails, if two packages register the name, or if the encoder's identity
    has another name.
    """
    registered = tuple(_entry_points().select(name=name))
    if len(registered) != 1:
        packages = ", ".join(_package(point) for point in registered) or "no package"
        raise ModelError(f"model {name!r} is registered by {packages}: install exactly one")
    package = _package(registered[0])
    try:
        load = registered[0].load()
        encoder: Encoder = load(runtime) if inspect.signature(load).parameters else load()
        identity = encoder.identity
    except ClipsearchError:
        raise
    except Exception as error:  # code of other packages may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"model {name!r} of {package} cannot be loaded: {reason}") from error
    if identity.name != name:
        raise ModelError(
            f"model {name!r} of {package} has an identity named {identity.name!r}: both must agree"
        )
    return encoder


def _entry_points() -> "EntryPoints":
    from importlib.metadata import entry_points  # late: slow to import, and rarely needed

    return entry_points(group=GROUP)


def _package(point: "EntryPoint") -> str:
    return point.dist.name if point.dist else "an unknown package"
