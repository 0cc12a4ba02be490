"""Counts and sizes for a person."""

GIB = 1024**3


def millions(count: float) -> str:
    return f"{count / 1e6:,.2f} M"


def gibibytes(nbytes: float) -> str:
    return f"{nbytes / GIB:.2f} GiB" if nbytes >= GIB / 10 else f"{nbytes / 1024**2:.1f} MiB"
