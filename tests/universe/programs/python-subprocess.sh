# Python starting, feeding, timing out and killing other programs.
# needs: python3
# compare: native
python3 - <<'END'
import signal, subprocess, sys

print(subprocess.run(["sort"], input="b\na\nc\n", text=True, capture_output=True).stdout.split())
children = [subprocess.Popen([sys.executable, "-c", f"print({i} ** 3)"], stdout=subprocess.PIPE)
            for i in range(4)]
print([int(c.communicate()[0]) for c in children])
try:
    subprocess.run(["sleep", "100"], timeout=0.3)
except subprocess.TimeoutExpired:
    print("timed out")
p = subprocess.Popen(["sleep", "100"])
p.send_signal(signal.SIGTERM)
print(p.wait())
print(subprocess.run("exit 7", shell=True).returncode)
print(subprocess.check_output("echo $0 | cat", shell=True))
END
