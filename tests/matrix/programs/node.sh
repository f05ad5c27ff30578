# Node.js: a server and its clients, files, a watch, children, a worker, promises, npm's own start.
# needs: node
cat >main.js <<'JS'
const http = require('http'), fs = require('fs'), cp = require('child_process');
const crypto = require('crypto'), dns = require('dns'), os = require('os'), zlib = require('zlib');
const { Worker } = require('worker_threads');
const ask = (port, i) => new Promise((done, fail) => {
    http.get({ port, host: '127.0.0.1', path: `/${i}` }, (r) => {
        let text = '';
        r.on('data', (d) => { text += d; });
        r.on('end', () => done(text));
    }).on('error', fail);
});
const event = (emitter, name) => new Promise((done) => emitter.once(name, (...a) => done(a)));
const server = http.createServer((q, r) => r.end(`${q.method} ${q.url}`));
server.listen(0, '127.0.0.1', async () => {
    const port = server.address().port;
    console.log((await Promise.all([...Array(20).keys()].map((i) => ask(port, i)))).join());
    await fs.promises.writeFile('file', 'written');
    console.log((await fs.promises.readFile('file')).toString());
    const watcher = fs.watch('.');
    const seen = event(watcher, 'change');
    fs.writeFileSync('watched', 'z');
    console.log('watch', (await seen)[1]);
    watcher.close();
    console.log(crypto.pbkdf2Sync('a', 'b', 1000, 16, 'sha256').toString('hex'));
    console.log((await dns.promises.lookup('localhost', { family: 4 })).address);
    console.log(zlib.gunzipSync(zlib.gzipSync('packed')).toString());
    console.log(cp.execFileSync('echo', ['child']).toString().trim());
    const child = cp.spawn('cat');
    child.stdin.end('through');
    child.stdout.on('data', (d) => console.log('cat', d.toString()));
    await event(child, 'close');
    const worker = new Worker(
        'require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true });
    console.log('worker', (await event(worker, 'message'))[0]);
    const forked = cp.fork('./forked.js');
    console.log('fork', (await event(forked, 'message'))[0]);
    await event(forked, 'exit');
    process.on('SIGUSR2', () => { console.log('signal'); server.close(); });
    process.kill(process.pid, 'SIGUSR2');
    setTimeout(() => {}, 50);
});
JS
echo 'process.send({ n: [1, 2, 3] }, () => process.disconnect())' >forked.js
node main.js
echo 'console.log(1 + 1)' | node
node -e 'throw new Error("thrown")' 2>/dev/null || echo "status $?"
