# A static Go program: goroutines, timers, garbage, an HTTP server and its clients.
# needs: go
# compare: native
# build: CGO_ENABLED=0 go build -o "$OUT/go-http" "$SOURCES/go-http.go"
"$OUT/go-http"
