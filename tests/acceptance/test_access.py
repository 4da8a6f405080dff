"""What access to one part of a line gives to the others (docs/security.md), on a real one whose secrets are canaries."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from celery import Celery

from classifier.artifact import read_card, shipped_model, write_card
from core import tables
from core.database import Database
from core.ledger import jobs, results
from core.queues import SCORE_BATCH, make_app
from core.settings import Settings, get_settings
from core.vocabulary import Job, JobState
from digitline.cli import main
from digitline.connection import open_line
from tests.acceptance.conftest import PATIENCE, ended
from tests.core.examples import rows
from tests.digits import digit_folder, files_below, loose_digits
from tests.environment import variables
from tests.models import fast_alone
from tests.processes import LineProcess, processes_naming
from tests.servers import PostgresServer, RedisServer, free_port
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(400)

#: Passwords that may be seen in the environment of the line's processes, and nowhere else.
CANARIES = ("canary-of-redis", "canary-of-postgres", "canary-of-flower")
REDIS, POSTGRES, FLOWER = CANARIES


@dataclass
class Line:
    """A `digitline up` on servers that ask for passwords."""

    settings: Settings
    process: LineProcess
    redis: RedisServer
    database: Database
    app: Celery

    def drop(self, folder: Path) -> Job:
        """Drop a folder and wait until its job is filed away."""
        shutil.move(folder, self.settings.inbox_folder)

        def filed() -> Job | None:
            named = [job for job in jobs.newest(self.database, 100) if job.name == folder.name]
            job = ended(self.database, named[0].id) if named else None
            return job if job is not None and not jobs.is_unfiled(self.database, job) else None

        return wait_until(filed, f"{folder.name} is filed away", PATIENCE)

    def flower(self, path: str, login: str = "") -> tuple[int, str]:
        """Ask Flower; returns the status and what it said."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.settings.flower_port}{path}")
        if login:
            request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, _shared_postgres: PostgresServer) -> Iterator[Line]:
    """A line with one worker process, which logs all that it can."""
    folder = tmp_path_factory.mktemp("guarded")
    url = _shared_postgres.create_database(f"guarded_{folder.name.replace('-', '_')}")
    with RedisServer(tcp=True) as redis:
        with redis.client() as client:  # by a command: the server's command line is in the list of processes, too
            client.config_set("requirepass", REDIS)
        redis.password = REDIS
        settings = Settings(
            home=folder / "home",
            model=fast_alone(folder / "fast"),
            database_url=url.replace("//postgres@", f"//postgres:{POSTGRES}@"),
            broker_url=redis.url,
            flower_auth=f"user:{FLOWER}",
            flower_port=free_port(),
            log_level="DEBUG",
            concurrency=1,
            settle_time=0.3,
            scan_interval=0.3,
            sweep_interval=0.3,
        )
        process = LineProcess(settings, "up", log=folder / "up.log")
        database, app = Database(settings.database), make_app(settings)
        try:
            process.says(READY)
            yield Line(settings, process, redis, database, app)
        finally:
            app.close()
            database.close()
            process.stop()
            process.close()


#: Runs `digitline ...` on the line: exit code, and all that was printed.
Digitline = Callable[..., tuple[int, str]]


@pytest.fixture
def digitline(line: Line, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Digitline:
    """The command line, with the environment of the line's processes."""

    def run(*arguments: str, **more: str) -> tuple[int, str]:
        for name, value in variables(line.settings, **more).items():
            if name.startswith("DIGITLINE_"):
                monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["digitline", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        open_line().close()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out + printed.err

    return run


class Hostile:
    """Makes a file where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.canary),)


def test_forged_messages_make_a_worker_do_nothing_and_it_goes_on(line: Line, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    processes = processes_naming(str(line.settings.home_folder)).keys()
    senseless = (-1, 0, 2**40, 2**70, 1e300, True, None, [1], {"id": 1}, "1", str(canary), "0" * 100_000)
    forged: list[tuple[str, dict[str, object]]] = [
        ("os.mkdir", {"args": [str(canary)]}),
        ("celery.chord_unlock", {"args": [str(canary), None]}),
        (SCORE_BATCH, {"args": [str(canary)]}),
        (SCORE_BATCH, {"kwargs": {}}),
        (SCORE_BATCH, {"kwargs": {"batch_id": 1, "folder": str(canary)}}),
        (SCORE_BATCH, {"kwargs": {"batch_id": Hostile(canary)}, "serializer": "pickle"}),
        (SCORE_BATCH, {"kwargs": {"batch_id": 1}, "serializer": "yaml"}),
        *((SCORE_BATCH, {"kwargs": {"batch_id": one}}) for one in senseless),
    ]
    for name, options in forged:
        line.app.send_task(name, queue="express", **options)
    job = line.drop(digit_folder(tmp_path / "after the forgery", 5))
    assert (job.state, job.accounts.scored) == (JobState.DONE, 5)
    assert not canary.exists()
    assert processes_naming(str(line.settings.home_folder)).keys() == processes, "none had to be replaced"
    said = line.process.output
    assert "Received unregistered task of type 'os.mkdir'" in said
    assert "Refusing to deserialize untrusted content of type pickle" in said
    assert said.count("batch_id must be a whole number") >= 7
    assert said.count("ValueError: batch_id must be between 1 and 2147483647") >= 4
    assert "DataError" not in said


def test_a_drop_reads_nothing_outside_itself_and_is_filed_nowhere_else(line: Line, tmp_path: Path) -> None:
    outside = loose_digits(tmp_path / "outside", 2)
    drop = tmp_path / "drop"
    drop.mkdir()
    shutil.copy(outside[0], drop / "a..png")
    (drop / "digit.png").symlink_to(outside[1])
    (drop / "folder").symlink_to(outside[1].parent)
    (drop / "passwd.png").symlink_to("/etc/passwd")
    (drop / "a\\..\\..\\stray.png").write_bytes(outside[0].read_bytes())
    job = line.drop(drop)
    found = {result.path: result.reason for result in results.of_job(line.database, job.id)}
    assert found == {
        "a..png": None,
        "a\\..\\..\\stray.png": None,
        **dict.fromkeys(("digit.png", "folder", "passwd.png"), "outside"),
    }
    assert files_below(tmp_path) == {f"outside/{path.name}" for path in outside}


def test_a_table_of_labels_cannot_name_what_lies_elsewhere(line: Line, tmp_path: Path) -> None:
    drop = loose_digits(tmp_path / "elsewhere", 1)[0].parent
    (drop / "labels.csv").write_text("path,label\n../../../../etc/passwd,1\n")
    shutil.move(drop, line.settings.inbox_folder)
    filed = wait_until(
        lambda: next(line.settings.failed_folder.glob("*elsewhere*/summary.txt"), None), "it is filed", PATIENCE
    )
    assert "labels.csv, line 2: there is no file '../../../../etc/passwd' in the folder" in filed.read_text()


def test_the_name_of_a_job_leads_nowhere_and_an_output_spoils_nothing(
    line: Line, digitline: Digitline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "a" / "b"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    folder = digit_folder(work / "digits", 2)
    name = "../../stray"
    assert digitline("submit", str(folder), "--name", name, "--wait")[0] == 0
    assert digitline("report", name)[0] == 0
    (page,) = [path.name for path in work.iterdir() if path != folder]
    assert page == f"report-{jobs.find(line.database, name).id}.html"
    (work / "precious").write_text("kept")
    (work / "link").symlink_to(work / "precious")
    assert digitline("results", name, "--format", "csv", "--output", "link")[0] == 0
    assert (work / "precious").read_text() == "kept"
    code, said = digitline("results", name, "--format", "csv", "--output", str(folder))
    assert (code, said) == (1, f"digitline: {folder} cannot be written: Is a directory.\n")
    assert len(files_below(folder)) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


@pytest.mark.parametrize("kind", ["code", "h5"])
def test_a_hostile_model_is_refused_though_its_card_fits(digitline: Digitline, kind: str, tmp_path: Path) -> None:
    folder = shutil.copytree(shipped_model(), tmp_path / "model")
    network = folder / "fast.keras"
    network.write_bytes(with_code(network) if kind == "code" else b"\x89HDF\r\n\x1a\n" + bytes(1000))
    card = read_card(folder)
    fast = dataclasses.replace(card.fast, sha256=hashlib.sha256(network.read_bytes()).hexdigest())
    write_card(folder, dataclasses.replace(card, fast=fast))
    code, said = digitline("models", "add", str(folder))
    assert code == 1
    assert {"code": "names keras.layers.Lambda", "h5": "is refused: File is not a zip file"}[kind] in said


def with_code(network: Path) -> bytes:
    """The network with a layer more, whose configuration holds code."""
    changed = io.BytesIO()
    with zipfile.ZipFile(network) as source, zipfile.ZipFile(changed, "w") as archive:
        for member in source.namelist():
            content = source.read(member)
            if member == "config.json":
                config = json.loads(content)
                config["config"]["layers"].append({"module": "keras.layers", "class_name": "Lambda", "config": {}})
                content = json.dumps(config).encode()
            archive.writestr(member, content)
    return changed.getvalue()


def test_flower_and_its_metrics_ask_for_a_password(line: Line) -> None:
    pages = ("/", "/tasks", "/broker", "/api/workers", "/api/tasks", "/metrics")
    for login, status in (("", 401), ("user:another", 401), (f"user:{FLOWER}", 200)):
        assert {page: line.flower(page, login)[0] for page in pages} == dict.fromkeys(pages, status)
    assert "flower_worker_online" in line.flower("/metrics", f"user:{FLOWER}")[1]
    assert line.flower("/healthcheck") == (200, "OK")


def test_beyond_loopback_there_is_no_flower_without_a_password(digitline: Digitline) -> None:
    code, said = digitline("flower", DIGITLINE_FLOWER_ADDRESS="0.0.0.0", DIGITLINE_FLOWER_AUTH="")
    assert (code, "Flower would listen on 0.0.0.0 without a password." in said) == (1, True)


def test_passwords_are_in_no_log_command_line_message_page_or_error(
    line: Line, digitline: Digitline, tmp_path: Path
) -> None:
    job = line.drop(digit_folder(tmp_path / "secrets", 3))
    with line.redis.client() as client:
        held = str([client.dump(key) for key in client.scan_iter()])
    away = {
        "DIGITLINE_BROKER_URL": f"redis://:{REDIS}@127.0.0.1:{free_port()}/0",
        "DIGITLINE_DATABASE_URL": f"postgresql://postgres:{POSTGRES}@127.0.0.1:{free_port()}/gone",
    }
    page = tmp_path / "page.html"
    seen = {
        "log": line.process.output,
        "logs": "".join(path.read_text() for path in line.settings.logs_folder.iterdir()),
        "command lines": str(processes_naming("").values()),
        "redis": held,
        "ledger": str([rows(line.database, table) for table in tables.metadata.sorted_tables]),
        "flower": "".join(line.flower(path, f"user:{FLOWER}")[1] for path in ("/api/workers?refresh=1", "/api/tasks")),
        "status": digitline("status", "--json")[1] + digitline("status", str(job.id))[1],
        "doctor": digitline("doctor", "--json")[1],
        "results": digitline("results", str(job.id), "--format", "json")[1],
        "report": digitline("report", str(job.id), "--output", str(page))[1] + page.read_text(),
        "doctor without servers": digitline("doctor", **away)[1],
        "status without a ledger": digitline("status", **away)[1],
        "submit without Redis": digitline("submit", str(tmp_path), DIGITLINE_BROKER_URL=away["DIGITLINE_BROKER_URL"])[
            1
        ],
    }
    assert all(seen.values())
    assert '"in_order": false' not in seen["doctor"]
    assert {what: canary for what, text in seen.items() for canary in CANARIES if canary in text} == {}
