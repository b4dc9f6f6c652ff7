"""Numbers as a reader wants them, on paper and in the terminal."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"


def fixed(value: float, digits: int = 1) -> str:
    """So many decimals, and a proper minus sign; "" for NaN."""
    if math.isnan(value):
        return ""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def with_error(value: float, error: float, digits: int = 1) -> str:
    """ "−1141.2 ± 17.0"; without an error where there is none or it is 0."""
    is_uncertain = error > 0  # of NaN it is False
    return f"{fixed(value, digits)} ± {fixed(error, digits)}" if is_uncertain else fixed(value, digits)


def significant(value: float, digits: int = 4) -> str:
    """So many significant digits."""
    return "" if math.isnan(value) else f"{value:.{digits}g}".replace("-", MINUS)


def whole(value: float) -> str:
    """Thousands apart by thin spaces."""
    return "" if math.isnan(value) else f"{round(value):,}".replace(",", "\N{THIN SPACE}").replace("-", MINUS)


def duration(seconds: float) -> str:
    """ "0.03 s", "12.4 s", "3 min 05 s", with spaces at which no line breaks."""
    if math.isnan(seconds):
        return ""
    if seconds < 60:
        text = f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    else:
        text = f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return text.replace(" ", "\N{NO-BREAK SPACE}")
