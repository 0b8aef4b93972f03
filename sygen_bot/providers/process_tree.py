"""Which processes there are below another one."""

from __future__ import annotations

from pathlib import Path


def process_tree(root: int) -> set[int]:
    """The pids of `root` and of everything below it; empty if it is gone.

    Linux keeps a list of the children of each thread, which costs next to nothing to read; without it every process of the machine
    is looked at.
    """
    if not Path(f"/proc/{root}/task/{root}/children").exists():
        return _searched_tree(root)
    found, unseen = {root}, [root]
    while unseen:
        children = _children(unseen.pop()) - found
        found |= children
        unseen += children
    return found


def _children(pid: int) -> set[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return set()
    children: set[int] = set()
    for thread in threads:
        try:
            children.update(map(int, (thread / "children").read_bytes().split()))
        except OSError:
            continue  # the thread has ended
    return children


def _searched_tree(root: int) -> set[int]:
    import psutil  # slow to load, and seldom needed

    try:
        process = psutil.Process(root)
        return {process.pid, *(child.pid for child in process.children(recursive=True))}
    except psutil.Error:
        return set()
