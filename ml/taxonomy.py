"""Types, departments and their subtypes: the label space of a model and of the demo desk.

>>> space = load_taxonomy().label_space()
>>> len(space.subtypes), space.types
(87, ('spam', 'query', 'complaint', 'suggestion'))
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ml.errors import DataError

TYPES = ("spam", "query", "complaint", "suggestion")
TAXONOMY_FILE = Path(__file__).parent / "corpus" / "taxonomy.json"


@dataclass(frozen=True)
class Subtype:
    """One leaf of the taxonomy; `slug` is unique within its department."""

    department: str
    slug: str
    type: str
    name: str = ""
    guideline: str = ""


@dataclass(frozen=True)
class LabelSpace:
    """The outputs of a model's two heads, in order."""

    subtypes: tuple[Subtype, ...]
    types: tuple[str, ...] = TYPES

    @cached_property
    def departments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s.department for s in self.subtypes))

    @cached_property
    def index(self) -> dict[tuple[str, str], int]:
        """(department, subtype slug) → position in the subtype head."""
        return {(s.department, s.slug): i for i, s in enumerate(self.subtypes)}

    @cached_property
    def members(self) -> dict[str, tuple[int, ...]]:
        """department → positions of its subtypes in the subtype head."""
        return {d: tuple(i for i, s in enumerate(self.subtypes) if s.department == d) for d in self.departments}

    @cached_property
    def type_of(self) -> tuple[int, ...]:
        """Position in the subtype head → position in the type head."""
        return tuple(self.types.index(s.type) for s in self.subtypes)

    def to_json(self) -> dict:
        maps: dict[str, dict[str, str]] = {}
        for s in self.subtypes:
            maps.setdefault(s.department, {})[s.slug] = s.type
        return {"types": list(self.types), "departments": maps}

    @classmethod
    def from_json(cls, data: dict) -> "LabelSpace":
        return cls(
            subtypes=tuple(
                Subtype(department, slug, type_)
                for department, slugs in data["departments"].items()
                for slug, type_ in slugs.items()
            ),
            types=tuple(data["types"]),
        )

    @classmethod
    def from_labels(cls, labels: Iterable[tuple[str, str, str]]) -> "LabelSpace":
        """Build the space that a labelled file spans, from (department, subtype, type) triples.

        Raises DataError when one subtype of a department appears under two types.
        """
        seen: dict[tuple[str, str], str] = {}
        for department, slug, type_ in labels:
            if seen.setdefault((department, slug), type_) != type_:
                raise DataError(
                    f"subtype {slug!r} of department {department!r} has two types, "
                    f"{seen[department, slug]!r} and {type_!r}; a subtype belongs to one type",
                    field="type",
                )
        return cls(tuple(Subtype(d, s, t) for (d, s), t in sorted(seen.items())))


@dataclass(frozen=True)
class Taxonomy:
    """Departments with their names and described subtypes."""

    departments: dict[str, str]
    subtypes: tuple[Subtype, ...]

    def label_space(self) -> LabelSpace:
        return LabelSpace(self.subtypes)


def load_taxonomy(file: Path = TAXONOMY_FILE) -> Taxonomy:
    """Read the taxonomy that ships with the starter corpus."""
    data = json.loads(file.read_text(encoding="utf-8"))
    return Taxonomy(
        departments={d["slug"]: d["name"] for d in data["departments"]},
        subtypes=tuple(
            Subtype(d["slug"], s["slug"], s["type"], s["name"], s["guideline"])
            for d in data["departments"]
            for s in d["subtypes"]
        ),
    )
