"""The limit of this process's address space, as `ulimit -v` sets it.

Native libraries abort the process, hang or name a wrong reason if they get no address space. So
what loads them asks first.
"""

from clipsearch.errors import ClipsearchError

STORE, TEXTS, IMAGES = 400_000_000, 900_000_000, 1_800_000_000
"""Bytes that pymilvus takes; with `pocket` for texts; and for images. Measured on two cores: each
further core takes some more, for its threads."""


def require_address_space(size: int, purpose: str) -> None:
    """Raise ClipsearchError if this process may not have so many bytes of address space."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < size:
        raise ClipsearchError(
            f"not enough memory to {purpose}: this process is limited to {limit // 1_000_000:,} MB "
            f"of address space and needs at least {size // 1_000_000:,} MB: raise `ulimit -v`"
        )
