# Loops without system calls in Go, Java and Python that only another thread can end.
# needs: go java javac python3
# compare: native
# build: CGO_ENABLED=0 go build -o "$OUT/spins" "$SOURCES/spins.go" && javac -d "$OUT" "$SOURCES/Spins.java"
"$OUT/spins"
java -Xshare:auto -Xmx128m -cp "$OUT" Spins
python3 - <<'END'
import threading, time

flag = False

def setter():
    global flag
    time.sleep(0.1)
    flag = True

thread = threading.Thread(target=setter)
thread.start()
while not flag:
    pass
thread.join()
print("python")
END
