"""The program that Codex runs before each use of a tool: it asks the gateway, and waits for the answer.

`codex_hook.py SOCKET`, with the use as JSON on stdin. Printing nothing lets the tool run; a refusal is JSON in Codex's own form. It is
started for every use, so what it imports must be little. Whatever goes wrong ends it with an error, and the command line around it
makes a refusal of that.
"""

from __future__ import annotations

import socket
import sys

ALLOW = b"allow"


def main(path: str) -> int:
    use = sys.stdin.buffer.read()
    with socket.socket(socket.AF_UNIX) as gateway:
        gateway.connect(path)
        gateway.sendall(use)
        gateway.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: gateway.recv(65536), b""))
    if answer == ALLOW:
        return 0
    if not answer.startswith(b"{"):
        return 1  # the gateway let go
    sys.stdout.buffer.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
