"""Run one command and print what it took as JSON: wall seconds, processor seconds, the largest process's peak memory.

A process of its own for each command: it adopts whatever the command's processes leave behind (a pool's helper, for
one), so that all of them count, and it is small, because a child's peak begins with its parent's size at the fork.

    python measure.py COMMAND ...
"""

import ctypes
import json
import os
import resource
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
    _, status = os.waitpid(child, 0)
    wall = time.perf_counter() - start
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = os.waitstatus_to_exitcode(status)
    print(
        json.dumps(
            {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1000, "code": code}
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
