"""`tee.py LOG -- COMMAND...`: run a command with its streams passed through, and note when each piece went by.

A line of the log: `time.perf_counter()`, which all processes of a machine share on Linux, then `<` (to the command) or `>` (from it), then
`-` or the numbers of the marks that the piece holds. Marks are the lines of the file LOG.marks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time


def main(arguments: list[str]) -> int:
    log, command = arguments[0], arguments[2:]
    with open(f"{log}.marks", "rb") as file:  # noqa: PTH123
        marks = file.read().splitlines()
    notes = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None

    def pass_on(source: int, target: int, direction: str) -> None:
        while piece := os.read(source, 1 << 20):
            now = time.perf_counter()
            left = piece
            while left:
                left = left[os.write(target, left) :]
            held = "".join(str(number) for number, mark in enumerate(marks) if mark in piece)
            os.write(notes, f"{now!r} {direction} {held or '-'}\n".encode())
        os.close(target)

    feeding = threading.Thread(target=pass_on, args=(0, os.dup(child.stdin.fileno()), "<"), daemon=True)
    child.stdin.close()
    # What is inherited by the child is its own end alone, so that it sees the end of its input.
    feeding.start()
    pass_on(child.stdout.fileno(), 1, ">")
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
