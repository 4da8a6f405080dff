"""A later version migrates the ledger while workers of this one score."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.database import MIGRATIONS
from core.errors import RevisionMismatch
from core.settings import Settings
from tests.chaos.scene import WORKERS, Scene
from tests.digits import digit_folder
from tests.environment import variables
from tests.faults.conftest import PATIENCE, finished
from tests.oracle import check_job, labels_of
from tests.processes import running
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(400)

#: More batches than are scored before the migrators have started.
MANY = 200

LATER = """
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{head}"


def upgrade():
    op.add_column("batches", sa.Column("mood", sa.Text(), nullable=True))
    op.execute("INSERT INTO upgrades DEFAULT VALUES")


def downgrade():
    op.drop_column("batches", "mood")
"""

MIGRATE = """
import sys
from alembic import command
from core.database import Database
from core.settings import get_settings

config = Database(get_settings().database).alembic_config()
config.set_main_option("script_location", sys.argv[1])
getattr(command, sys.argv[2])(config, sys.argv[3])
"""


@pytest.fixture
def later(scene: Scene, tmp_path: Path) -> Iterator[Path]:
    """The migrations of a later version; the ledger is this version's again afterwards."""
    folder = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    head = max(path.name for path in (folder / "versions").glob("0*.py"))[:4]
    (folder / "versions" / "later.py").write_text(LATER.format(head=head))
    with scene.postgres.connect("chaos") as connection:
        connection.execute("CREATE TABLE upgrades (number serial)")
        yield folder
        assert migrator(scene.settings, folder, "downgrade", head).wait(PATIENCE) == 0
        connection.execute("DROP TABLE upgrades")


def migrator(settings: Settings, migrations: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A process of the later version that migrates the ledger."""
    return subprocess.Popen([sys.executable, "-c", MIGRATE, str(migrations), *arguments], env=variables(settings))


def test_of_two_migrators_beside_live_workers_one_upgrades_and_the_workers_go_on(scene: Scene, later: Path) -> None:
    many = digit_folder(scene.folder / "many", MANY)
    expected = labels_of(scene.database, finished(scene, scene.send(many)).id)
    workers = [scene.process(name).pid for name in WORKERS]
    job = scene.send(many)
    migrators = [migrator(scene.settings, later, "upgrade", "head") for _ in range(2)]
    assert [one.wait(PATIENCE) for one in migrators] == [0, 0]
    check_job(scene.database, finished(scene, job).id, expected)
    with scene.postgres.connect("chaos") as connection:
        assert connection.execute("SELECT count(*) FROM upgrades").fetchone() == (1,)
    assert [scene.process(name).pid for name in WORKERS] == workers


def test_beside_a_later_ledger_nothing_starts_and_nothing_is_submitted(
    scene: Scene, digits: Path, later: Path, tmp_path: Path
) -> None:
    assert migrator(scene.settings, later, "upgrade", "head").wait(PATIENCE) == 0
    with pytest.raises(RevisionMismatch, match="revision later, which this Digitline does not know"):
        scene.send(digits)
    with ExitStack() as stack:
        started = [
            stack.enter_context(running(scene.settings, verb, log=tmp_path / f"{verb}.log"))
            for verb in ("worker", "scheduler", "migrate")
        ]
        for process in started:
            wait_until(lambda process=process: process.exit_code is not None, f"{process.log.name} ends", PATIENCE)
            assert process.exit_code == 1
            assert "is at revision later, which this Digitline does not know" in process.output
            assert "Traceback" not in process.output
