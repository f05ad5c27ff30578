# A Node.js server with its clients, timers, files and a worker.
# needs: node
# compare: native
cat > main.js <<'END'
const http = require('http'), fs = require('fs');
const { execFileSync } = require('child_process');
const { Worker } = require('worker_threads');
const server = http.createServer((q, r) => {
    let n = 0;
    q.on('data', (d) => { n += d.length; });
    q.on('end', () => r.end(`${q.method} ${q.url} ${n}`));
});
const ask = (port, i) => new Promise((done, fail) => {
    const q = http.request({ port, host: '127.0.0.1', path: `/${i}`, method: 'POST' }, (r) => {
        let text = '';
        r.on('data', (d) => { text += d; });
        r.on('end', () => done(text));
    });
    q.on('error', fail);
    q.end('x'.repeat(i * 100));
});
server.listen(0, '127.0.0.1', async () => {
    const port = server.address().port;
    console.log(await Promise.all([1, 2, 3, 4, 5].map((i) => ask(port, i))));
    fs.writeFileSync('file', 'written');
    console.log((await fs.promises.readFile('file')).toString());
    await new Promise((r) => setTimeout(r, 100));
    console.log(execFileSync('echo', ['child']).toString());
    const w = new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true });
    w.on('message', (m) => { console.log('worker', m); server.close(); });
});
END
node main.js
