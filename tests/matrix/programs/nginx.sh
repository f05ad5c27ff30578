# nginx with two workers and curl: files by sendfile, a proxy, ranges, a reload, a clean stop.
# needs: nginx curl
mkdir -p www logs temp
seq 1 60000 >www/large.txt
echo '<h1>hello</h1>' >www/index.html
chmod -R a+rX .
conf() {
    cat >nginx.conf <<CONF
user www-data;
worker_processes 2;
daemon off;
pid nginx.pid;
error_log logs/error.log notice;
events { worker_connections 64; }
http {
    access_log logs/access.log;
    sendfile on; tcp_nopush on; gzip on; gzip_types text/plain; gzip_min_length 10;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;
    uwsgi_temp_path temp; scgi_temp_path temp;
    server {
        listen 127.0.0.1:8080 reuseport;
        root $PWD/www;
        location /again { proxy_pass http://127.0.0.1:8080/index.html; }
        location /word { return 200 "$1"; }
    }
}
CONF
}
conf first
nginx -p "$PWD" -c nginx.conf &
server=$!
url=http://127.0.0.1:8080
await curl -sf $url/
for _ in 1 2 3; do curl -s $url/ $url/again; done
curl -s $url/large.txt | md5sum
curl -s --compressed $url/large.txt | md5sum
curl -s -r 0-9 $url/large.txt | od -c | head -n 2
curl -s -o /dev/null -w '%{http_code}\n' $url/missing
curl -sI $url/large.txt | grep -iE '^(content-length|accept-ranges)' | tr -d '\r'
conf second
nginx -p "$PWD" -c nginx.conf -t 2>&1 | grep -c successful
kill -HUP $server
exited() { [ "$(grep -c 'worker process [0-9]* exited with code 0' logs/error.log)" = "$1" ]; }
await exited 2
curl -s $url/word && echo
kill -QUIT $server
wait $server
exited 4 && echo exited
