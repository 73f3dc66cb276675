"""Queries that every answer asks: Django writes their SQL once a process, a run only fills in the values.

Of the 2.9 ms that the next item of the queue took, 2 ms were Django's writing of the SQL. So what stands in the way of
each answer is decorated:

    @prepared
    def next_of(theirs: Q, *, user: int, now: datetime) -> QuerySet[Item]: ...

Called, it gives the rows as a list. Keyword arguments are values, which may differ at each run; positional ones shape
the query, which is written once for each of them. None is a value to set, never one to compare with.
"""

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from functools import lru_cache, wraps
from types import NoneType
from typing import Any, ParamSpec, TypeVar, get_args

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    DateTimeField,
    Expression,
    Field,
    FloatField,
    Model,
    QuerySet,
    Value,
)
from django.db.models.sql import InsertQuery, UpdateQuery

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Model)

SHAPES = 256  # of one query that are kept written
FIELDS: dict[type, type[Field]] = {
    int: BigIntegerField,
    float: FloatField,
    str: CharField,
    datetime: DateTimeField,
}


class Given(Expression):
    """Stands in a query for the value that a run gives under `name`."""

    def __init__(self, name: str, field: Field):
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: object, connection: object) -> tuple[str, list]:  # type: ignore[override]
        return "%s", [self]


def prepared(query: Callable[P, QuerySet[Any, R]]) -> Callable[P, list[R]]:
    """Let `query` be written once for each shape and run with each call's values; the rows come as a list."""
    given = _given(query)

    @lru_cache(SHAPES)
    def written(*shape: Any) -> tuple[QuerySet, Any, str, tuple] | None:
        found: Any = query(*shape, **given)  # type: ignore[arg-type]
        compiler = found.query.get_compiler(DEFAULT_DB_ALIAS)
        try:
            return found, compiler, *compiler.as_sql()
        except EmptyResultSet:
            return None

    @wraps(query)
    def run(*shape: P.args, **values: P.kwargs) -> list[R]:
        plan = written(*shape)
        if plan is None:
            return []
        found, compiler, sql, params = plan
        filled = _filled(params, values)
        rows = found._chain()  # type: ignore[attr-defined]
        rows.query.get_compiler = lambda *_, **__: _giving(compiler, (sql, filled))
        return list(rows)

    return run


def prepared_update(query: Callable[P, tuple[QuerySet, dict[str, Any]]]) -> Callable[P, int]:
    """The same for an UPDATE: `query` gives the rows and what they are set to; called, the number of rows changed."""
    given = _given(query)

    @lru_cache(SHAPES)
    def written(*shape: Any) -> tuple[str, tuple]:
        found, changes = query(*shape, **given)  # type: ignore[arg-type]
        update: Any = found.query.chain(UpdateQuery)
        update.add_update_values(changes)
        return update.get_compiler(DEFAULT_DB_ALIAS).as_sql()

    @wraps(query)
    def run(*shape: P.args, **values: P.kwargs) -> int:
        sql, params = written(*shape)
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(sql, _filled(params, values))
            return cursor.rowcount

    return run


def insert(row: M) -> M:
    """Store a new row, by the INSERT that was written for the first of its kind; it gets its key. No signals are sent."""
    connection = connections[DEFAULT_DB_ALIAS]
    compiler, sql, fields = _insert_into(type(row))
    params = [f.get_db_prep_save(f.pre_save(row, add=True), connection) for f in fields]
    [(row.pk,)] = _giving(compiler, [(sql, params)]).execute_sql(compiler.returning_fields)
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return row


@lru_cache
def _insert_into(model: type[Model]) -> tuple[Any, str, list[Field]]:
    key = model._meta.pk
    query = InsertQuery(model)
    fields = [f for f in model._meta.concrete_fields if f != key]
    query.insert_values(fields, [model()], raw=True)
    compiler: Any = query.get_compiler(DEFAULT_DB_ALIAS)
    compiler.returning_fields = [key]
    [(sql, _)] = compiler.as_sql()
    return compiler, sql, fields


def _giving(compiler: Any, written: object) -> Any:
    """A compiler that has its SQL already, on the connection of this thread."""
    compiler = copy(compiler)
    compiler.connection = connections[DEFAULT_DB_ALIAS]
    compiler.as_sql = lambda: written
    return compiler


def counted(found: QuerySet) -> QuerySet[Any, int]:
    """How many rows `found` has, as a query of one row."""
    return found.order_by().values(one=Value(1)).annotate(n=Count("*")).values_list("n", flat=True)


def _given(query: Callable) -> dict[str, Given]:
    """A placeholder for each keyword argument, of the type that it is annotated with."""
    signature = inspect.signature(query, eval_str=True)
    values = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {p.name: Given(p.name, FIELDS[_type(p.annotation)]()) for p in values}


def _type(annotation: Any) -> type:
    """`int` of `int | None`."""
    return next((t for t in get_args(annotation) if t is not NoneType), annotation)


def _filled(params: tuple, values: Mapping[str, Any]) -> tuple:
    connection = connections[DEFAULT_DB_ALIAS]
    return tuple(
        p.output_field.get_db_prep_value(values[p.name], connection) if isinstance(p, Given) else p for p in params
    )
