"""For developers: `python -m migrations "add courses"` writes the next revision from what the tables lack.

It compares the code with a scratch database migrated to the head. What it writes is a draft: read it, mend what a
comparison cannot see (a renamed column looks like one dropped and one added; data; CHECKs), then `ruff check --fix` and
`ruff format` it.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command

from app.kit.database import open_engine
from app.kit.migrations import head_revision, migrating, upgrade
from app.store.tables import METADATA


def write_revision(message: str) -> None:
    """Write migrations/versions/<number>_<message>.py, numbered in sequence."""
    head = head_revision()
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'scratch.db'}")
        upgrade(engine)
        with migrating(engine) as alembic:
            alembic.attributes["metadata"] = METADATA
            command.revision(alembic, message, autogenerate=True, rev_id=f"{int(head or 0) + 1:04d}")
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_revision(sys.argv[1])
