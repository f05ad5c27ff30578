# nginx with two workers, asked by curl.
# needs: nginx curl
# compare: native
mkdir -p www logs temp
seq 1 20000 > www/large.txt
echo '<h1>hello</h1>' > www/index.html
cat > nginx.conf <<END
user root;
worker_processes 2;
daemon off;
pid nginx.pid;
error_log logs/error.log;
events { worker_connections 64; }
http {
    access_log logs/access.log;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;
    uwsgi_temp_path temp; scgi_temp_path temp;
    server {
        listen 127.0.0.1:18080;
        root $PWD/www;
        location /again { proxy_pass http://127.0.0.1:18080/index.html; }
    }
}
END
nginx -p "$PWD" -c nginx.conf &
server=$!
for _ in $(seq 50); do curl -s -o /dev/null http://127.0.0.1:18080/ && break; sleep 0.1; done
curl -s http://127.0.0.1:18080/
curl -s http://127.0.0.1:18080/large.txt | md5sum
curl -s http://127.0.0.1:18080/again
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:18080/missing
curl -s -r 0-9 http://127.0.0.1:18080/large.txt | od -c | head -n 2
kill -QUIT $server
wait $server
wc -l < logs/access.log
