"""Django's PostgreSQL, but the socket tells whether a connection still lives, instead of a query before each request.

A server that ends a connection says so and hangs up: where nobody is asking anything, there is then something to read.
"""

from select import POLLIN, poll

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Whether the connection can be used; what does not look sound is asked, as Django does."""
        return self._is_quiet() or super().is_usable()

    def _is_quiet(self) -> bool:
        idle = self.connection is not None and self.connection.info.transaction_status == TransactionStatus.IDLE
        if not idle or self.errors_occurred:
            return False
        socket = poll()
        socket.register(self.connection.fileno(), POLLIN)
        return not socket.poll(0)
