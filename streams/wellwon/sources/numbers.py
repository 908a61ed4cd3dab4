"""Numbers as exports and spreadsheets write them."""

from __future__ import annotations

import re
from typing import Final

_COMMA_DECIMAL: Final = re.compile(r'(?<![\d,.])"?-?\d{1,3}(?:\.?\d{3})*,\d{1,2}"?(?![\d,.])')
_POINT_DECIMAL: Final = re.compile(r'(?<![\d,.:/-])"?-?\d[\d,]*\.\d{1,2}"?(?![\d,.])')


def has_decimal_comma(text: str, delimiter: str) -> bool:
    """Decimals are written with a comma. A file with commas between cells only has them if a cell says so plainly."""
    if delimiter == ",":
        return False
    return bool(_COMMA_DECIMAL.search(text)) or (delimiter == ";" and not _POINT_DECIMAL.search(text))


_NUMBER: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"[-+]?\d(\.\d+)?[eE]\+?\d{1,2}", re.ASCII)
_TOO_LARGE: Final = 1e15
_UNIT: Final = re.compile(r"^[A-Z]{3}\b|\b[A-Z]{3}$|[$€£¥%\s\u00a0\u202f\u2019']")


def number(text: str, *, decimal_comma: bool) -> str:
    """A number with a decimal point and nothing else, from what a spreadsheet shows (``$1,234.50``, ``(50.00)``).

    Raises ValueError.
    """
    if _NUMBER.fullmatch(text) and not (decimal_comma and re.fullmatch(r"[-+]?\d{1,3}(\.\d{3})+", text)):
        return text
    bare = _UNIT.sub("", text.strip())
    if bare.startswith("(") and bare.endswith(")"):
        bare = "-" + bare[1:-1]
    if _SCIENTIFIC.fullmatch(bare.replace(",", ".") if decimal_comma else bare):
        value = float(bare.replace(",", "."))
        if value >= _TOO_LARGE:
            raise ValueError(f"{text!r} is too large: did a spreadsheet make a number of something else?")
        return f"{value:.6f}"
    group, mark = (".", ",") if decimal_comma else (",", ".")
    whole, _, fraction = bare.partition(mark)
    if group in whole and not re.fullmatch(rf"[-+]?\d{{1,3}}(\{group}\d{{3}})+", whole):
        raise ValueError(f"{text!r} is not a number: its thousands are not in threes; write it without marks for them")
    found = whole.replace(group, "") + ("." + fraction if fraction else "")
    if not _NUMBER.fullmatch(found):
        raise ValueError(f"{text!r} is not a number: write it in digits, such as 85000 or 85000{mark}50")
    return found
