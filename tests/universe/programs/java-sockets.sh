# The JVM: threads, sockets, timers, garbage, null pointers.
# needs: java javac
# compare: native
# build: javac -d "$OUT" "$SOURCES/Sockets.java"
java -Xshare:auto -Xmx128m -cp "$OUT" Sockets
