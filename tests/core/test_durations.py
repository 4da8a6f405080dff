"""A length of time is read as people write it, and what is none is named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.durations import as_text, duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("4w", timedelta(weeks=4)),
        ("30m", timedelta(minutes=30)),
        (" 1d ", timedelta(days=1)),
        ("999999w", timedelta(weeks=999_999)),
    ],
)
def test_a_whole_number_and_a_unit_are_a_length(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "90D", "1d12h", "1y", "٣d", "1000000d"])
def test_what_is_no_length_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time: write a whole number and m, h, d or w") as caught:
        duration(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("written", "said"), [("90d", "90d"), ("14d", "2w"), ("36h", "36h"), ("60m", "1h"), ("7m", "7m")]
)
def test_a_length_is_said_in_its_largest_unit(written: str, said: str) -> None:
    assert as_text(duration(written)) == said
