/** When a connection is made again, and when not: what socket.io-client reports is reported by the test. */
import assert from "node:assert/strict";
import { beforeEach, mock, test, type TestContext } from "node:test";

import { Live } from "../src/live.ts";
import type { TokenSource } from "../src/token.ts";

const LATER_MS = 1_500; // by then it has tried again, if it does so by itself

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});

function come(t: TestContext, token: TokenSource = () => "a-key") {
  const troubles: unknown[] = [];
  const trouble = (what: unknown) => troubles.push(what);
  const live = new Live({ url: "http://127.0.0.1:9", token, trouble, socket: { autoConnect: false } });
  const { socket } = live as unknown as { socket: FakeSocket };
  const connects = t.mock.method(socket, "connect", () => socket).mock;
  return { live, socket, troubles, connects: () => (mock.timers.tick(LATER_MS), connects.callCount()) };
}

/** What of a socket is not for everybody, and what the test sets. */
interface FakeSocket {
  connect: () => FakeSocket;
  connected: boolean;
  auth: (show: (shown: object) => void) => void;
  emitReserved: (event: string, told?: unknown) => void;
  packet: (packet: { data: unknown[]; id: number }) => void;
  acks: Record<number, (answer: unknown) => void>;
}

const refusal = (status?: number) => Object.assign(new Error("no"), status ? { data: { status } } : {});
const settled = () => new Promise(setImmediate);

test("refused for who they are, it does not come back by itself", (t) => {
  for (const status of [401, 403]) {
    const { socket, troubles, connects } = come(t);
    socket.emitReserved("connect_error", refusal(status));
    assert.deepEqual(troubles, [{ status }]);
    assert.equal(connects(), 0);
  }
});

test("refused for now, or without a reason, it comes back", (t) => {
  for (const status of [429, 503, undefined]) {
    const { socket, troubles, connects } = come(t);
    socket.emitReserved("connect_error", refusal(status));
    assert.equal(troubles.length, 1);
    assert.equal(connects(), 1);
  }
});

test("sent away by the server, it comes back; what breaks is socket.io-client's to mend", (t) => {
  const { socket, connects } = come(t);
  socket.emitReserved("disconnect", "transport close");
  assert.equal(connects(), 0);
  socket.emitReserved("disconnect", "io server disconnect");
  assert.equal(connects(), 1);
});

test("closed, it does not come back, whatever was under way", async (t) => {
  const { promise, reject } = Promise.withResolvers<string>();
  const { live, socket, troubles, connects } = come(t, () => promise);
  socket.emitReserved("disconnect", "io server disconnect");
  socket.auth(() => assert.fail());
  live.close();
  reject(new Error("nobody gives tokens now"));
  await settled();
  assert.equal(connects(), 0);
  assert.deepEqual(troubles, []);
});

test("a token is renewed half a minute before it ends, however far that is", async (t) => {
  for (const days of [1 / 24, 90]) {
    let asked = 0;
    const expires = new Date(Date.now() + days * 86_400_000);
    const { live, socket } = come(t, () => ({ expires, token: `token-${(asked += 1)}` }));
    const sent = t.mock.method(socket, "packet", () => undefined).mock;
    socket.auth(() => undefined);
    await settled();
    socket.connected = true;
    socket.emitReserved("connect");
    mock.timers.tick(Math.min(days * 86_400_000 - 30_001, 2 ** 31 - 2));
    await settled();
    assert.equal(sent.callCount(), 0);
    mock.timers.tick(1);
    await settled();
    assert.deepEqual(sent.calls[0]?.arguments[0]?.data, ["auth.refresh", { token: "token-2" }]);
    live.close();
  }
});

test("nothing is renewed where nothing ends", async (t) => {
  let asked = 0;
  const { socket } = come(t, () => `token-${(asked += 1)}`);
  socket.auth(() => undefined);
  await settled();
  socket.emitReserved("connect");
  mock.timers.tick(86_400_000);
  await settled();
  assert.equal(asked, 1);
});

test("nothing is renewed where nobody is connected any more", async (t) => {
  let asked = 0;
  const { socket } = come(t, () => ({ token: `token-${(asked += 1)}`, expires: new Date() }));
  socket.auth(() => undefined);
  await settled();
  socket.emitReserved("connect");
  socket.emitReserved("disconnect", "transport close");
  mock.timers.tick(86_400_000);
  await settled();
  assert.equal(asked, 1);
});
