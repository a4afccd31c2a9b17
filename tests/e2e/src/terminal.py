"""Runs a command on a terminal of its own: what is typed comes from stdin, what it shows goes to stdout."""
import os
import pty
import sys
import threading

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])


def type_it():
    while typed := os.read(0, 4096):
        os.write(terminal, typed)


threading.Thread(target=type_it, daemon=True).start()
while True:
    try:
        shown = os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side is closed
        break
    if not shown:
        break
    os.write(1, shown)
ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.flush()
os._exit(ended if ended >= 0 else 128 - ended)
