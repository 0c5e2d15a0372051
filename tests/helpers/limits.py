"""Commands that run within limits of the system."""

from collections.abc import Sequence


def limited(option: str, value: int, command: Sequence[str]) -> list[str]:
    """The command within a limit, as by `ulimit OPTION VALUE`.

    A shell sets it. With `preexec_fn` this process would fork, and gRPC's threads in it sometimes
    abort the child.
    """
    return [
        "sh",
        "-c",
        'ulimit "$1" "$2" && shift 2 && exec "$@"',
        "sh",
        option,
        str(value),
        *command,
    ]
