#!/usr/bin/env python3
"""A fake of ssh, which runs the command on this machine, in another folder and environment.

Called as ``ssh [options] MACHINE COMMAND``. As with sshd, the command's stdin ends with this
process.
"""

import os
import select
import subprocess
import sys

*options, machine, command = sys.argv[1:]
if machine == "no-such-machine":
    print("ssh: Could not resolve hostname no-such-machine", file=sys.stderr)
    sys.exit(255)
environment = {"HOME": os.environ["HOME"], "FAKE_MACHINE": machine, "TMPDIR": "/remote"}
remote = subprocess.Popen(
    ["sh", "-c", command],
    cwd="/",
    env=environment,
    stdin=subprocess.PIPE,
    start_new_session=True,
)
while remote.poll() is None:
    ready, _, _ = select.select([0], [], [], 0.02)
    if ready:
        data = os.read(0, 1000)  # in small pieces, as by a connection
        remote.stdin.write(data)
        remote.stdin.flush()
        if not data:
            remote.stdin.close()
            break
sys.exit(remote.wait())
