"""enter.py ROOT UID DIRECTORY COMMAND...: runs a command in a root directory as an ordinary user, with
the environment that `everett exec --image` gives."""
import os
import sys

root, uid, directory, *command = sys.argv[1:]
os.chroot(root)
os.chdir(directory)
os.setgroups([])
os.setgid(int(uid))
os.setuid(int(uid))
os.execve(command[0], command, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
