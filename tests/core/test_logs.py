"""What a process says stays on its line, and is text to the terminal, whatever the names of files hold."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.core.test_names import NAMES
from tests.environment import ROOT

TELL = """
import logging, os, sys
from core import logs
logs.set_up("INFO")
for name in sys.argv[1:]:
    logging.getLogger("told").info("scored %s", name)
"""


def test_no_name_of_a_file_begins_a_line_of_its_own_or_is_obeyed_by_a_terminal() -> None:
    program = [os.fsencode(sys.executable), b"-c", TELL.encode(), *NAMES.values()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(program, env=environment, capture_output=True, encoding="utf-8", check=True).stderr
    lines = said.removesuffix("\n").split("\n")
    assert len(lines) == len(NAMES)
    assert all(line.startswith("INFO    told: scored ") and line.isprintable() for line in lines)
    assert r"INFO    told: scored two\nlines\r.png" in lines
