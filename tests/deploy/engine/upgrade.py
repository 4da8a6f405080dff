"""An upgrade as docs/deployment.md has it, during a job: a newer image, whose migration changes the ledger's schema."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.deploy.engine import drops
from tests.deploy.engine.docker import CommandFailed
from tests.deploy.engine.scene import Scene
from tests.deploy.engine.stack import LINE

NEXT = "digitline:deploy-test-next"
_REVISION = "9999"
_MIGRATION = '''"""A table that no version has: made by `make deploy-test`."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table("deploy_test", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id"))
'''
_DOCKERFILE = """FROM {image}
COPY migration.py /app/migrations/versions/{revision}_deploy_test.py
"""


def upgrade(scene: Scene) -> None:
    """Upgrade to a newer image, with a migration, during a job"""
    stack, old = scene.stack, scene.stack.image
    with scene.ledger() as database:
        head = database.refuse_unknown_revision()
        before = drops.standing(database)
    _build_next(scene, str(head))
    drops.drop(stack, scene.digits, "upgraded")
    with scene.ledger() as database:
        drops.started(database, "upgraded", scene.digits)
    with scene.timed("upgrade, from stop to healthy"):
        stack.compose("stop", "flower", "web", "scheduler", "worker")
        stack.use_image(NEXT)
        stack.up()
    for name in LINE:
        if stack.ours(name):
            assert stack.one(name).inspect()["Config"]["Image"] == NEXT
    with scene.ledger() as database:
        job = drops.ended(database, "upgraded", scene.digits)
        after = drops.standing(database)
        assert after.items() - before.items() == {(job.id, after[job.id])}, f"{after} instead of {before}"
    stack.digitline("doctor")
    _refuses_the_newer_ledger(scene, old)


def _build_next(scene: Scene, head: str) -> None:
    with tempfile.TemporaryDirectory() as context:
        Path(context, "migration.py").write_text(_MIGRATION.format(revision=_REVISION, head=head))
        Path(context, "Dockerfile").write_text(_DOCKERFILE.format(revision=_REVISION, image=scene.stack.image))
        # Whoever builds has a umask of his own, and the line's user must read it.
        Path(context, "migration.py").chmod(0o644)
        scene.docker("build", f"--tag={NEXT}", context)


def _refuses_the_newer_ledger(scene: Scene, old: str) -> None:
    """An older version leaves a ledger alone that a newer one has migrated."""
    scene.stack.use_image(old)
    try:
        with pytest.raises(CommandFailed, match=_REVISION):
            scene.stack.digitline("status")
    finally:
        scene.stack.use_image(NEXT)
