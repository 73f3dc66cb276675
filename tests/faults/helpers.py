"""What the tests of the brokers share: messages put into queues, and taken by one worker in order."""

from collections.abc import Callable

from kombu import Connection, Exchange, Queue


def queue(name: str) -> Queue:
    return Queue(name, Exchange(name, type="direct"), routing_key=name)


def put(connection: Connection, *names: str) -> None:
    """A message into each of the queues, in this order."""
    with connection as broker:
        for name in names:
            broker.Producer().publish({"name": name}, exchange=name, routing_key=name, declare=[queue(name)])


def take_all(
    connection: Connection, names: tuple[str, ...], during: Callable[[int], object] = lambda n: None
) -> list[str]:
    """What one worker takes, in order; `during(n)` runs after the nth message."""
    taken: list[str] = []

    def take(body, message) -> None:
        taken.append(body["name"])
        message.ack()
        during(len(taken))

    with connection as broker:
        channel = broker.channel()
        channel.basic_qos(0, 1, False)
        with broker.Consumer([queue(n) for n in names], channel=channel, callbacks=[take], accept=["json"]):
            try:
                while True:
                    broker.drain_events(timeout=0.2)
            except TimeoutError:
                return taken
