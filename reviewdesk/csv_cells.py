"""Cells of a CSV that people open in a spreadsheet."""

from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_cells(values: Iterable[object]) -> list[object]:
    """None as nothing; text that a spreadsheet would run as a formula behind an apostrophe.

    >>> csv_cells(["=1+1", -1, None])
    ["'=1+1", -1, '']
    """
    return [_cell(value) for value in values]


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value
