"""Back-up and restore by the command line, on both databases: what was known is known again, and work goes on."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from core import tables
from core.database import Database
from core.ledger import batches, jobs, models, results
from core.settings import Settings, get_settings
from core.vocabulary import Accounts, JobState, Labels, Trigger
from digitline import archive, dump
from digitline.setup import prepare_ledger
from scheduler.producer import plan
from tests.conftest import MakeSettings
from tests.core.examples import RUN_OUT, create_job, outcome, register_model, rows, score, take
from tests.digitline.conftest import Digitline, Ended
from tests.digits import digit_folder, files_below
from tests.environment import variables
from tests.models import fast_alone
from tests.oracle import attempts, check_confusion
from tests.processes import PATIENCE, running
from tests.servers import PostgresServer
from tests.waiting import wait_until

SECRET = "canary-of-postgres"

#: Runs `digitline ...` with these settings.
Run = Callable[..., Ended]


@pytest.fixture
def run(digitline: Digitline, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line under settings of the test's choice."""

    def under(chosen: Settings, *arguments: str) -> Ended:
        for name, value in variables(chosen).items():
            if name.startswith("DIGITLINE_"):
                monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        return digitline(*arguments)

    return under


@pytest.fixture
def tools(_shared_postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server's own client programs come first on the PATH; each notes its command line. Returns the notes."""
    folder, notes = tmp_path / "tools", tmp_path / "command-lines"
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        tool = _shared_postgres._cluster.bin_path / name
        (folder / name).write_text(f'#!/bin/sh\necho "$0 $@" >> "{notes}"\nexec "{tool}" "$@"\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return notes


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, settings: MakeSettings, tmp_path: Path) -> tuple[Settings, Settings]:
    """A home with a migrated ledger, and another one without; with databases of one kind, that have a password."""
    common = {"batch_size": 20, "concurrency": 1, "sweep_interval": 0.3, "resend_after": 0.5, "lease_time": 10.0}
    if request.param == "sqlite":
        old = settings(home=tmp_path / "old", **common)
        old.home_folder.mkdir()
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), old.home_folder / "digitline.sqlite")
        return old, settings(home=tmp_path / "new", **common)
    request.getfixturevalue("tools")
    urls = [request.getfixturevalue(name) for name in ("postgres_url", "empty_postgres_url")]
    old_url, new_url = (url.replace("//postgres@", f"//postgres:{SECRET}@") for url in urls)
    return (
        settings(home=tmp_path / "old", database_url=old_url, **common),
        settings(home=tmp_path / "new", database_url=new_url, **common),
    )


@pytest.fixture
def opened() -> Iterator[Callable[[Settings], Database]]:
    """Opens ledgers that are closed afterwards."""
    databases: list[Database] = []

    def open_ledger(chosen: Settings) -> Database:
        databases.append(Database(chosen.database))
        return databases[-1]

    yield open_ledger
    for database in databases:
        database.close()


Opened = Callable[[Settings], Database]


@pytest.mark.timeout(300)
def test_a_job_that_is_half_done_is_finished_by_a_worker_of_the_restored_line(
    places: tuple[Settings, Settings], run: Run, opened: Opened, redis_url: str, tmp_path: Path
) -> None:
    old, new = places
    mine = fast_alone(tmp_path / "mine")
    prepare_ledger(old.model_copy(update={"model": mine}))
    before = opened(old)
    job = half_done(before, old, digit_folder(tmp_path / "digits", 50))
    kept = list(results.of_job(before, job))
    assert run(old, "backup", str(tmp_path / "backup.zip")).code == 0
    shutil.rmtree(mine)

    restored = run(new, "restore", str(tmp_path / "backup.zip"))
    assert (restored.code, restored.err) == (0, "")
    after = opened(new)
    assert jobs.get(after, job) == jobs.get(before, job)
    assert list(results.of_job(after, job)) == kept
    model = models.in_production(after)
    assert model is not None
    assert (model.name, Path(model.location).parent) == ("mine", new.home_folder / "models")

    line = Settings(**{name: getattr(new, name) for name in new.model_fields_set}, broker_url=redis_url)
    with (
        running(line, "worker", log=tmp_path / "worker.log"),
        running(line, "scheduler", log=tmp_path / "scheduler.log"),
    ):
        ended = wait_until(lambda: jobs.get(after, job).state.ended and jobs.get(after, job), "it ends", PATIENCE)
    assert (ended.state, ended.accounts) == (JobState.DONE, Accounts(50, 50, 0, 0))
    found = list(results.of_job(after, job))
    assert {result.path for result in found} == files_below(tmp_path / "digits")
    assert [result for result in found if result in kept] == kept
    assert attempts(after, job) == [1, 2, 1]
    check_confusion(after, job)


def half_done(database: Database, settings: Settings, folder: Path) -> int:
    """Make a job of three batches: one is scored, one is in the hands of a worker that vanished, one waits."""
    asked = {"name": None, "labels": Labels.AUTO, "queue": None, "claim": None, "triggered_by": Trigger.SCRIPT}
    job = jobs.create(database, plan(settings, folder, **asked))
    scored, held, _ = batches.of_job(database, job.id)
    lease = take(database, scored)
    batches.finish(database, lease, outcome(lease))
    take(database, held, lease_time=RUN_OUT)
    assert jobs.get(database, job.id).accounts.open == 30
    return job.id


def test_a_backup_that_is_taken_while_workers_write_is_the_ledger_at_one_moment(
    places: tuple[Settings, Settings], run: Run, opened: Opened, tmp_path: Path
) -> None:
    old, new = places
    prepare_ledger(old)
    before, stop = opened(old), threading.Event()
    first = create_job(before, [3] * 4, labelled=True)
    score(before, first)

    def work() -> None:
        while not stop.is_set():
            score(before, create_job(before, [3] * 4, labelled=True))

    writer = threading.Thread(target=work)
    writer.start()
    try:
        wait_until(lambda: jobs.newest(before, 1)[0].id > first.id, "the writer writes")
        assert run(old, "backup", str(tmp_path / "backup.zip")).code == 0
        at_backup = jobs.newest(before, 1)[0].id
        wait_until(lambda: jobs.newest(before, 1)[0].id > at_backup, "the writer goes on")
    finally:
        stop.set()
        writer.join()
    assert run(new, "restore", str(tmp_path / "backup.zip")).code == 0
    after = opened(new)
    newest = jobs.newest(after, 1)[0]
    assert first.id < newest.id <= jobs.newest(before, 1)[0].id
    assert jobs.ended_unbalanced(after) == []
    assert_every_batch_is_whole(after)


def assert_every_batch_is_whole(database: Database) -> None:
    """A batch is done with all its rows, or not done and without any."""
    counted = dict.fromkeys((row["id"] for row in rows(database, tables.batches)), 0)
    for row in rows(database, tables.predictions):
        counted[row["batch_id"]] += 1
    assert counted == {row["id"]: row["scored"] for row in rows(database, tables.batches)}
    assert {row["scored"] for row in rows(database, tables.batches) if row["state"] == "done"} == {3}


def test_a_password_is_in_no_command_line_no_output_and_no_backup(
    settings: MakeSettings, postgres_url: str, empty_postgres_url: str, tools: Path, run: Run, tmp_path: Path
) -> None:
    old, new = (
        settings(home=tmp_path / name, database_url=url.replace("//postgres@", f"//postgres:{SECRET}@"))
        for name, url in (("old", postgres_url), ("new", empty_postgres_url))
    )
    prepare_ledger(old)
    path = tmp_path / "backup.zip"
    ended = [
        run(old, "backup", str(path), "--json"),
        run(new, "restore", str(path), "--json"),
        run(old, "restore", "x"),
    ]
    assert [one.code for one in ended] == [0, 0, 1]
    noted = tools.read_text()
    assert "pg_dump --format=custom" in noted
    assert "pg_restore --clean" in noted
    with zipfile.ZipFile(path) as parts:
        content = b"".join(parts.read(name) for name in parts.namelist()).decode("latin-1")
    assert SECRET not in "".join([noted, content, *(one.out + one.err for one in ended)])


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_where_postgresqls_tools_are_missing_the_command_to_run_elsewhere_is_named(
    verb: str, settings: MakeSettings, postgres_url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(database_url=postgres_url.replace("//postgres@", f"//postgres:{SECRET}@"))
    prepare_ledger(chosen)
    if verb == "restore":
        assert run(chosen, "backup", str(tmp_path / "backup.zip")).code == 0
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    ended = run(chosen, verb, str(tmp_path / "backup.zip"))
    tool = {"backup": "pg_dump --format=custom", "restore": "pg_restore --clean"}[verb]
    assert ended.code == 1
    assert f"There is no {tool.partition(' ')[0]} on the PATH." in ended.err
    assert tool in ended.err
    assert SECRET not in ended.err
    assert list(tmp_path.glob(".*")) == []


def test_a_tool_that_fails_leaves_no_backup_and_says_why(
    settings: MakeSettings, postgres_url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(database_url=postgres_url)
    prepare_ledger(chosen)
    tool = tmp_path / "pg_dump"
    tool.write_text("#!/bin/sh\necho half a dump\necho the server is of another version >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    ended = run(chosen, "backup", str(tmp_path / "backup.zip"))
    assert (ended.code, ended.err) == (1, "digitline: pg_dump failed: the server is of another version\n")
    assert {path.name for path in tmp_path.iterdir()} <= {"pg_dump", "home"}


def test_a_ledger_that_holds_jobs_is_never_overwritten(
    places: tuple[Settings, Settings], run: Run, opened: Opened, tmp_path: Path
) -> None:
    chosen, _ = places
    prepare_ledger(chosen)
    assert run(chosen, "backup", str(tmp_path / "backup.zip")).code == 0
    job = create_job(opened(chosen), [3])
    ended = run(chosen, "restore", str(tmp_path / "backup.zip"))
    assert ended.code == 1
    assert "holds jobs, and none is ever overwritten. Name another home" in ended.err
    assert jobs.get(opened(chosen), job.id) == job


def test_a_ledger_without_jobs_is_replaced(
    places: tuple[Settings, Settings], run: Run, opened: Opened, tmp_path: Path
) -> None:
    old, new = places
    prepare_ledger(old)
    job = create_job(opened(old), [3])
    assert run(old, "backup", str(tmp_path / "backup.zip")).code == 0
    prepare_ledger(new)
    register_model(opened(new), "another")
    assert run(new, "restore", str(tmp_path / "backup.zip")).code == 0
    after = opened(new)
    assert jobs.get(after, job.id) == job
    assert "another" not in {model.name for model in models.every(after)}


def test_a_backup_of_an_older_version_is_brought_up_to_date_in_place_of_a_newer_ledger(
    places: tuple[Settings, Settings], run: Run, opened: Opened, tmp_path: Path
) -> None:
    old, new = places
    before = opened(old)
    job = create_job(before, [3])
    older = str(ScriptDirectory.from_config(before.alembic_config()).get_revision("head").down_revision)
    command.downgrade(before.alembic_config(), older)
    (tmp_path / "scratch").mkdir()
    with (
        archive.writing(tmp_path / "backup.zip") as writer,
        dump.of_ledger(before, tmp_path / "scratch") as content,
    ):
        writer.add(archive.LEDGERS[before.url.get_backend_name()], content)
        writer.seal(older, {})
    prepare_ledger(new)
    assert run(new, "restore", str(tmp_path / "backup.zip")).code == 0
    opened(new).check_revision()
    assert jobs.get(opened(new), job.id) == job


def test_a_folder_that_is_not_there_gets_no_file_of_its_name(run: Run, places: tuple[Settings, Settings]) -> None:
    unmounted = places[0].home_folder / "unmounted"
    ended = run(places[0], "backup", f"{unmounted}/")
    assert (ended.code, unmounted.exists()) == (2, False)
    assert "There is no folder" in ended.err
