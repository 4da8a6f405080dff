"""A message is a batch id and words for people; Redis says what it holds, or that it is not there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from core.errors import QueueUnreachable
from core.plain import printable
from core.queues import SCORE_BATCH, Inspector, describe, make_app, read_description, send_batches
from core.settings import Settings
from core.vocabulary import Batch, QueueName
from tests.conftest import MakeSettings
from tests.servers import RedisServer, free_port

MakeApp = Callable[[Settings], Celery]


@pytest.fixture
def app_of() -> Iterator[MakeApp]:
    """Makes Celery apps that are closed at the end."""
    apps: list[Celery] = []

    def make(settings: Settings) -> Celery:
        apps.append(make_app(settings))
        return apps[-1]

    yield make
    for app in apps:
        app.close()


def batch(number: int, *, queue: QueueName = QueueName.EXPRESS, name: str = "scans", size: int = 12) -> Batch:
    return Batch(number, job_id=7, job_name=name, sequence=3, of=40, queue=queue, size=size, model_id=1)


def messages(server: RedisServer, queue: QueueName, prefix: str = "digitline:") -> list[dict[str, Any]]:
    """The raw messages of a queue, the oldest first."""
    with server.client() as client:
        return [json.loads(raw) for raw in reversed(client.lrange(f"{prefix}{queue.value}", 0, -1))]


def test_a_message_carries_a_batch_id_and_nothing_else(
    settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp
) -> None:
    app = app_of(settings(broker_url=redis_server.url))
    assert send_batches(app, [batch(1), batch(2), batch(3, queue=QueueName.BULK)]) == 3
    express, bulk = messages(redis_server, QueueName.EXPRESS), messages(redis_server, QueueName.BULK)
    bodies = [json.loads(base64.b64decode(message["body"])) for message in (*express, *bulk)]
    assert [(args, kwargs) for args, kwargs, _embed in bodies] == [([], {"batch_id": number}) for number in (1, 2, 3)]
    assert {value for _args, _kwargs, embed in bodies for value in embed.values()} == {None}
    assert {message["content-type"] for message in (*express, *bulk)} == {"application/json"}


def test_people_read_which_batch_of_which_job_a_message_is(
    settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp
) -> None:
    send_batches(app_of(settings(broker_url=redis_server.url)), [batch(1), batch(2, size=1)])
    headers = [message["headers"] for message in messages(redis_server, QueueName.EXPRESS)]
    assert [header["kwargsrepr"] for header in headers] == [
        "job 7 'scans', batch 3/40, 12 images",
        "job 7 'scans', batch 3/40, 1 image",
    ]
    assert {(header["task"], header["argsrepr"], header["ignore_result"]) for header in headers} == {
        (SCORE_BATCH, "", True)
    }


def test_each_sending_of_a_batch_has_a_name_of_its_own_that_people_read(
    settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp
) -> None:
    app = app_of(settings(broker_url=redis_server.url))
    for _ in range(3):
        send_batches(app, [batch(1)])
    names = [message["headers"]["id"] for message in messages(redis_server, QueueName.EXPRESS)]
    assert len(set(names)) == 3
    assert {name.rpartition("-")[0] for name in names} == {"job-7-batch-3"}


@pytest.mark.parametrize("name", ["scans", "a', batch 1/2, 3 images", "two\nlines", "", "' '", "caf\udce9"])
@pytest.mark.parametrize("size", [1, 512])
def test_what_is_said_of_a_batch_is_read_back(name: str, size: int) -> None:
    read = read_description(describe(batch(1, name=name, size=size)))
    assert read is not None
    assert read._replace(job_name="") == (7, "", 3, 40, size)
    assert read.job_name == printable(name)


@pytest.mark.parametrize(
    "words", ["", "{}", "job 7", "job x 'a', batch 1/2, 3 images", "job 7 'a', batch 1/2, 3 images."]
)
def test_other_words_are_no_batch(words: str) -> None:
    assert read_description(words) is None


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred\x07", "\u202egnp", "caf\udce9", "nul\0", "\\n'"])
def test_a_jobs_name_reaches_no_terminal_raw(name: str) -> None:
    words = describe(batch(1, name=name))
    assert words.isprintable()
    assert words.startswith("job 7 '")
    assert words.endswith("', batch 3/40, 12 images")


def test_a_name_in_any_script_is_told_as_it_is() -> None:
    assert describe(batch(1, name="Prüfung 試験")) == "job 7 'Prüfung 試験', batch 3/40, 12 images"


def test_a_name_full_of_control_characters_is_sent_as_escapes(
    settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp
) -> None:
    send_batches(app_of(settings(broker_url=redis_server.url)), [batch(1, name="a\n\x1b[2J\udce9b")])
    (message,) = messages(redis_server, QueueName.EXPRESS)
    assert message["headers"]["kwargsrepr"] == r"job 7 'a\n\x1b[2J\udce9b', batch 3/40, 12 images"


def test_every_key_has_the_prefix(settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp) -> None:
    chosen = settings(broker_url=redis_server.url, key_prefix="mine:")
    app = app_of(chosen)
    send_batches(app, [batch(1), batch(2, queue=QueueName.BULK)])
    with app.connection_for_read() as connection:
        take_message(app, connection, QueueName.EXPRESS)
        with redis_server.client() as client:
            keys = client.keys("*")
        assert {b"mine:unacked", b"mine:bulk"} <= set(keys)
        assert [key for key in keys if not key.startswith(b"mine:")] == []
        assert (Inspector(chosen).waiting(), Inspector(chosen).held()) == ({2}, {1})
        assert Inspector(settings(broker_url=redis_server.url)).waiting() == set()


def take_message(app: Celery, connection: Connection, queue: QueueName) -> Any:
    """Take a message as a worker does, and leave it unacknowledged."""
    message = app.conf.task_queues[list(QueueName).index(queue)].bind(connection.default_channel).get(no_ack=False)
    assert message is not None
    return message


def test_the_depth_of_a_queue_is_what_waits_in_it(settings: MakeSettings, redis_url: str, app_of: MakeApp) -> None:
    chosen = settings(broker_url=redis_url)
    inspector = Inspector(chosen)
    inspector.ping()
    assert inspector.depths() == {QueueName.EXPRESS: 0, QueueName.BULK: 0}
    send_batches(app_of(chosen), [batch(1), batch(2), batch(3, queue=QueueName.BULK)])
    assert inspector.depths() == {QueueName.EXPRESS: 2, QueueName.BULK: 1}


def test_a_batch_in_a_workers_hands_is_told_apart_from_one_that_waits(
    settings: MakeSettings, redis_url: str, app_of: MakeApp
) -> None:
    chosen = settings(broker_url=redis_url)
    app, inspector = app_of(chosen), Inspector(chosen)
    assert inspector.waiting() == set()
    send_batches(app, [batch(4), batch(5), batch(6, queue=QueueName.BULK)])
    assert inspector.waiting() == {4, 5, 6}
    with app.connection_for_read() as connection:
        message = take_message(app, connection, QueueName.EXPRESS)
        assert inspector.depths()[QueueName.EXPRESS] == 1
        assert (inspector.waiting(), inspector.held()) == ({5, 6}, {4})
        message.ack()
        assert (inspector.waiting(), inspector.held()) == ({5, 6}, set())


FOREIGN = {
    "no JSON": b"\x80\x04\x95",
    "no object": b"[1, 2]",
    "no body": b"{}",
    "a body that is no text": b'{"body": 7}',
    "a body that is no JSON": json.dumps({"body": "cos\nsystem\n"}).encode(),
    "pickle": json.dumps({"body": "gASVDg==", "properties": {"body_encoding": "base64"}}).encode(),
    "no base64": json.dumps({"body": "%%%", "properties": {"body_encoding": "base64"}}).encode(),
    "the protocol before": json.dumps({"body": json.dumps({"task": "x", "args": [], "kwargs": {}})}).encode(),
    "two parts": json.dumps({"body": "[[], {}]"}).encode(),
    "kwargs that are a list": json.dumps({"body": "[[], [], {}]"}).encode(),
    "a path for an id": json.dumps({"body": '[[], {"batch_id": "/etc/passwd"}, {}]'}).encode(),
    "a truth for an id": json.dumps({"body": '[[], {"batch_id": true}, {}]'}).encode(),
    "properties that are none": json.dumps({"body": '[[], {"batch_id": 1}, {}]', "properties": None}).encode(),
    "a well without a floor": b"[" * 100_000,
}


@pytest.mark.parametrize("raw", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_others_put_into_a_queue_does_not_hide_our_batches(
    settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp, raw: bytes
) -> None:
    chosen = settings(broker_url=redis_server.url)
    send_batches(app_of(chosen), [batch(5)])
    with redis_server.client() as client:
        client.lpush("digitline:express", raw)
        client.hset("digitline:unacked", "tag", raw)
        client.hset("digitline:unacked", "other tag", b'["", "", ""]')
    assert Inspector(chosen).waiting() == {5}


def test_a_password_is_used_and_not_shown(
    settings: MakeSettings, redis_tcp_server: RedisServer, app_of: MakeApp
) -> None:
    chosen = settings(broker_url=redis_tcp_server.url)
    assert send_batches(app_of(chosen), [batch(1)]) == 1
    assert Inspector(chosen).waiting() == {1}
    wrong = settings(broker_url=f"redis://:s3cret@127.0.0.1:{redis_tcp_server.port}/0")
    for refused in (lambda: send_batches(app_of(wrong), [batch(2)]), lambda: Inspector(wrong).ping()):
        with pytest.raises(QueueUnreachable) as caught:
            refused()
        assert "s3cret" not in str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", ["socket", "port"])
def test_a_redis_that_is_not_there_is_said_to_be_unreachable(
    settings: MakeSettings, app_of: MakeApp, where: str
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0" if where == "port" else "redis+socket:///nowhere/redis.sock"
    chosen = settings(broker_url=url)
    inspector = Inspector(chosen)
    for question in (inspector.ping, inspector.depths, inspector.waiting, inspector.held):
        with pytest.raises(QueueUnreachable, match="Redis does not answer") as caught:
            question()
        assert "digitline up" in caught.value.mend
    with pytest.raises(QueueUnreachable, match="Redis does not answer"):
        send_batches(app_of(chosen), [batch(1)])


@pytest.mark.parametrize("url", ["ftp://host", "nonsense", "amqp://host"])
def test_a_url_that_is_not_of_redis_is_refused(settings: MakeSettings, url: str) -> None:
    with pytest.raises(QueueUnreachable, match="DIGITLINE_BROKER_URL"):
        Inspector(settings(broker_url=url))


@pytest.mark.timeout(60)
def test_sending_goes_on_once_redis_is_back(settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp) -> None:
    chosen = settings(broker_url=redis_server.url)
    app, inspector = app_of(chosen), Inspector(chosen)
    send_batches(app, [batch(1)])
    redis_server.stop()
    with pytest.raises(QueueUnreachable):
        send_batches(app, [batch(2)])
    with pytest.raises(QueueUnreachable):
        inspector.ping()
    redis_server.start()
    assert send_batches(app, [batch(3)]) == 1
    assert inspector.waiting() == {1, 3}


@pytest.mark.timeout(60)
def test_a_full_redis_is_said_to_be_unreachable_and_drains(
    settings: MakeSettings, redis_server: RedisServer, app_of: MakeApp
) -> None:
    app = app_of(settings(broker_url=redis_server.url))
    send_batches(app, [batch(1)])
    with redis_server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(QueueUnreachable, match="memory"):
            send_batches(app, [batch(2)])
        client.config_set("maxmemory", "0")
    assert send_batches(app, [batch(2)]) == 1
