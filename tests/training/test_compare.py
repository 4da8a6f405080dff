"""Methods are compared on the same digits."""

from __future__ import annotations

import json

from training.compare import compare_on
from training.dataset import Split


def test_every_method_is_measured_on_the_same_digits_and_learns(few: Split) -> None:
    notes: list[tuple[int, int, str]] = []
    rows = compare_on(few, epochs=2, progress=lambda *note: notes.append(note))
    assert [row.name for row in rows] == ["CNN", "SVM (RBF)", "random forest"]
    assert [done for done, _, _ in notes] == [0, 1, 1, 2, 2, 3]
    for row in rows:
        assert (row.trained_on, row.measured_on) == (600, 200)
        assert row.fit_seconds > 0
        assert row.images_per_second > 0
        assert row.size > 10_000
        json.dumps(row.as_dict())
    assert all(row.accuracy > 0.75 for row in rows[1:])
