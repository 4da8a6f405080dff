"""A process that tries what may end a process: what does ends that one, and whatever comes next is tried all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from core.sandbox import Sandbox, SandboxLost, SandboxNotStarted
from tests.core.sandboxed import ROOM
from tests.environment import ROOT

#: Seconds; nothing that is tried here and answered takes a hundredth of it.
PATIENCE = 30.0


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """One that does as it is told."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Sandbox("tests.core.sandboxed", patience=PATIENCE) as made:
        yield made


def process_of(sandbox: Sandbox) -> int:
    """The process that answers now."""
    return int(sandbox.ask({"do": "answer"})[0]["process"])


def test_one_process_answers_question_after_question(sandbox: Sandbox) -> None:
    process = process_of(sandbox)
    for data in (b"", b"abc", bytes(10_000_000)):
        assert sandbox.ask({"do": "answer"}, data) == ({"process": process}, data[::-1])


@pytest.mark.parametrize(("deed", "how"), [("die", "by SIGKILL"), ("exit", "with exit code 3")])
def test_what_ends_the_process_is_told_how_and_another_one_takes_its_place(
    sandbox: Sandbox, deed: str, how: str
) -> None:
    before = process_of(sandbox)
    with pytest.raises(SandboxLost, match=f"^ended its process {how}$"):
        sandbox.ask({"do": deed})
    assert process_of(sandbox) != before


def test_what_takes_too_long_is_ended_and_signs_of_life_are_given_meanwhile(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, signs = process_of(sandbox), list[int]()
    monkeypatch.setattr("core.sandbox._SIGN_EVERY", 0.1)
    monkeypatch.setattr(sandbox, "_patience", 0.5)
    monkeypatch.setattr(sandbox, "_sign", lambda: signs.append(1))
    with pytest.raises(SandboxLost, match=r"^took more than 0\.5 s$"):
        sandbox.ask({"do": "hang"})
    assert signs
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_an_answer_that_nobody_waited_for_is_not_that_of_the_next_question(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    process_of(sandbox)
    monkeypatch.setattr(sandbox, "_sign", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sandbox.ask({"do": "hang"})
    monkeypatch.setattr(sandbox, "_sign", lambda: None)
    assert sandbox.ask({"do": "answer"}, b"next")[1] == b"txen"


def test_what_takes_too_much_memory_does_not_get_it(sandbox: Sandbox) -> None:
    assert sandbox.ask({"do": "answer", "take": 2 * ROOM})[0]["lacks"] == "memory"


def test_what_stops_whoever_asks_does_not_end_it(sandbox: Sandbox) -> None:
    process = process_of(sandbox)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        os.kill(process, number)
    assert process_of(sandbox) == process


def test_a_process_that_does_not_start_is_no_fault_of_what_it_was_to_try() -> None:
    with Sandbox("no.such.module", patience=PATIENCE) as sandbox:
        for _ in range(2):
            with pytest.raises(SandboxNotStarted, match="^ended its process with exit code 1$"):
                sandbox.ask({"do": "answer"})
