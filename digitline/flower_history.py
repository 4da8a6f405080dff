"""Flower's history, in one file that is replaced as a whole, so that no kill costs what was saved before."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

from flower.events import Events, EventsState

from core.crash import crash_point

log = logging.getLogger(__name__)

#: What reading a damaged pickle may raise.
_DAMAGED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


class History(Events):  # type: ignore[misc]  # Flower has no types
    """What Flower hears, and keeps over a restart.

    Flower's own keeps it in a shelve, which is three files where Python has no gdbm. They are replaced one after the other,
    and after a kill between two of them none of it can be read.
    """

    def load_state(self) -> EventsState | None:
        """What was saved last; None where there is nothing, or nothing that can be read, which is put aside."""
        saved = Path(self.db)
        try:
            with saved.open("rb") as file:
                # Its folder is the owner's of the line alone.
                state, counter = pickle.load(file)  # noqa: S301
        except FileNotFoundError:
            return None
        except _DAMAGED as error:
            aside = saved.replace(f"{saved}.corrupt")
            log.error("The history in %s cannot be read, and is put aside as %s: %s", saved, aside.name, error)
            return None
        state.counter.update(counter)
        return state

    def save_state(self) -> None:
        """Save what there is now; until all of it is written, what was saved before stays."""
        draft = Path(f"{self.db}.draft")
        with draft.open("wb") as file:
            # Celery leaves the counter out of its state.
            pickle.dump((self.state, dict(self.state.counter)), file)
        crash_point("flower.written")
        draft.replace(self.db)
