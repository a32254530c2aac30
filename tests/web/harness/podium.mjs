// The real server, in a folder of its own.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const READY_MS = 60_000;

/** Starts `podium serve` on a free port. */
export async function startPodium() {
  const binary = process.env.PODIUM_BINARY;
  if (!binary) throw new Error('PODIUM_BINARY is the path of the binary; tests/web/run sets it');
  const folder = await mkdtemp(join(tmpdir(), 'podium-web-'));
  const child = spawn(binary, ['serve', '--data-dir', folder, '--listen', '127.0.0.1:0'], {
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PODIUM_'))),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = [];
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ready line:\n${log.join('\n')}`)), READY_MS);
    ended.then(() => reject(new Error(`podium ended:\n${log.join('\n')}`)));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.push(line);
        const [, address] = /^podium listening on (\S+)/.exec(line) ?? [];
        if (address) resolve(address), clearTimeout(late);
      });
    }
  });
  const keys = JSON.parse(await readFile(join(folder, 'keys.json'), 'utf8'));
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url, key: keys.publishable, adminKey: keys.admin, admin: api(url, keys.admin), kill, close: () => kill().then(() => rm(folder, { recursive: true })) };
}

/** Calls of our API with a key; fails on any answer but a good one. */
function api(url, key) {
  const ask = async (path, body, method = 'POST') => {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...(method === 'POST' && { 'if-match': '*' }) },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };
  return {
    get: (path) => ask(path, undefined, 'GET'),
    /** Registers an experiment whose variants show these contents, and starts it. */
    async register(key, ...contents) {
      const variants = contents.map((content, idx) => ({ key: `v${idx}`, content }));
      await ask('/experiments', { key, variants, primary_metric: 'conversion', allocator: { type: 'fixed' } });
      await ask(`/experiments/${key}/start`);
    },
    act: (key, action) => ask(`/experiments/${key}/${action}`),
    /** What is put behind the address of a page that is to show one variant. */
    async link(flag, variant) {
      const { query } = await ask('/previews/links', { flag, variant });
      return query;
    },
    /** The exposed units of all variants. */
    async units(key) {
      const report = await ask(`/experiments/${key}/report`, undefined, 'GET');
      const of = (figures) => figures.reduce((sum, figure) => sum + figure.units, 0);
      return of(report.metrics[0].variants);
    },
  };
}
