/** One room is followed without gap or double, whatever is lost, late or refused on the way. */
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { type LiveSocket, Subscription } from "../src/subscription.ts";
import type { Change, ClientEvents, Problem, Room } from "../src/wire.ts";

const ROOM: Room = { resource_id: "01981d2a-7c00-7a3e-8f10-5b1c6e2d9a01" };

type Answered = Parameters<Parameters<ClientEvents["subscribe"]>[1]>[0];
type Asked = { after: number; answer: (error: Error | null, answer?: Answered) => void };

/** A connection whose other end is the test. */
class FakeSocket {
  connected = true;
  readonly asked: Asked[] = [];

  timeout(): this {
    return this;
  }

  emit(_event: "subscribe", what: { after: number }, answer: Asked["answer"]): void {
    this.asked.push({ after: what.after, answer });
  }

  get asks(): number[] {
    return this.asked.map(({ after }) => after);
  }

  accept(): void {
    this.asked.at(-1)?.answer(null, { ok: true, position: 1000 });
  }
}

let socket: FakeSocket;
let applied: number[];
let troubles: (Problem | Error)[];
let readings: PromiseWithResolvers<number>[];

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  [socket, applied, troubles, readings] = [new FakeSocket(), [], [], []];
});

function follow(after?: number): Subscription {
  const subscription = new Subscription(
    socket as unknown as LiveSocket,
    ROOM,
    {
      read: () => {
        readings.push(Promise.withResolvers());
        return readings.at(-1)!.promise;
      },
      apply: ({ position }) => applied.push(position),
      ...(after === undefined ? {} : { after }),
    },
    (what) => troubles.push(what),
  );
  subscription.start();
  return subscription;
}

function followFrom(after: number): Subscription {
  const subscription = follow(after);
  socket.accept();
  return subscription;
}

async function read(position: number): Promise<void> {
  readings.at(-1)?.resolve(position);
  await new Promise(setImmediate);
}

const TOLD = { room: ROOM, type: "booking.booked", time: "2027-03-01T08:00:00Z", actor: "key:1", availability: [] };
const change = (prev: number, position: number): Change => ({ ...TOLD, prev, position });
const problem = (status: number) => ({ status, type: "/problems/some" }) as Problem;

test("it reads first, and asks for what came after", async () => {
  const subscription = follow();
  assert.deepEqual(socket.asks, []);
  await read(7);
  assert.deepEqual(socket.asks, [7]);
  assert.equal(subscription.last, 7);
});

test("with a position it reads nothing", () => {
  follow(0);
  assert.deepEqual(socket.asks, [0]);
  assert.equal(readings.length, 0);
});

test("what follows on what was applied is applied, whatever was meant for others between", () => {
  const subscription = followFrom(10);
  for (const each of [change(4, 12), change(12, 13), change(13, 20)]) subscription.take(each);
  assert.deepEqual(applied, [12, 13, 20]);
});

test("what was applied already is passed over", () => {
  const subscription = followFrom(10);
  for (const each of [change(4, 10), change(10, 12), change(10, 12), change(4, 10)]) subscription.take(each);
  assert.deepEqual(applied, [12]);
  assert.deepEqual(socket.asks, [10]);
});

test("a gap has it ask again, once, from what it has", () => {
  const subscription = followFrom(10);
  subscription.take(change(12, 14));
  subscription.take(change(14, 15));
  assert.deepEqual(applied, []);
  assert.deepEqual(socket.asks, [10, 10]);
  socket.accept();
  for (const each of [change(9, 12), change(12, 14), change(14, 15)]) subscription.take(each);
  assert.deepEqual(applied, [12, 14, 15]);
  assert.equal(socket.asks.length, 2);
});

test("a heartbeat beyond what it has tells it of a loss", () => {
  const subscription = followFrom(10);
  subscription.beat({ room: ROOM, position: 12, head: 30 });
  assert.deepEqual(socket.asks, [10, 10]);
  assert.equal(subscription.last, 10);
});

test("a heartbeat that names nothing new moves it to the head of the log", () => {
  const subscription = followFrom(10);
  subscription.beat({ room: ROOM, position: 8, head: 30 });
  assert.equal(subscription.last, 30);
  subscription.beat({ room: ROOM, position: 8, head: 29 });
  assert.equal(subscription.last, 30);
  subscription.take(change(8, 31));
  assert.deepEqual(applied, [31]);
});

test("silence has it ask again", () => {
  followFrom(10);
  mock.timers.tick(60_000);
  assert.deepEqual(socket.asks, [10, 10]);
});

test("every message ends a silence", () => {
  const subscription = followFrom(10);
  mock.timers.tick(50_000);
  subscription.beat({ room: ROOM, position: 10, head: 10 });
  mock.timers.tick(50_000);
  assert.deepEqual(socket.asks, [10]);
  mock.timers.tick(10_000);
  assert.deepEqual(socket.asks, [10, 10]);
});

test("too old when asked for: it reads anew and goes on from there", async () => {
  const subscription = follow(10);
  socket.asked[0]?.answer(null, { snapshot_required: true, position: 9000 });
  subscription.take(change(9000, 9001)); // it was read with this one in it, or is sent again
  await read(9001);
  assert.deepEqual(socket.asks, [10, 9001]);
  assert.deepEqual(applied, []);
});

test("too old while it listens: the same", async () => {
  const subscription = followFrom(10);
  subscription.readAnew();
  await read(500);
  assert.deepEqual(socket.asks, [10, 500]);
});

test("a reading that fails is told, and tried again", async () => {
  follow();
  readings[0]?.reject(new Error("no way there"));
  await new Promise(setImmediate);
  assert.equal(troubles.length, 1);
  mock.timers.tick(2_000);
  await read(3);
  assert.deepEqual(socket.asks, [3]);
});

test("what an overtaken reading brings is passed over", async () => {
  const subscription = follow();
  subscription.readAnew();
  readings[1]?.resolve(8);
  await read(8);
  readings[0]?.resolve(5);
  await new Promise(setImmediate);
  assert.deepEqual(socket.asks, [8]);
  assert.equal(subscription.last, 8);
});

test("what an overtaken reading fails of is nobody's trouble", async () => {
  const subscription = follow();
  subscription.readAnew();
  readings[0]?.reject(new Error("no way there"));
  await read(8);
  mock.timers.tick(2_000);
  assert.deepEqual(troubles, []);
  assert.deepEqual(socket.asks, [8]);
});

test("without a connection it asks nothing, and with the next one from what it has", () => {
  const subscription = followFrom(10);
  subscription.take(change(10, 11));
  socket.connected = false;
  subscription.start();
  assert.deepEqual(socket.asks, [10]);
  socket.connected = true;
  subscription.resume();
  assert.deepEqual(socket.asks, [10, 11]);
});

test("a new connection waits for a reading that is under way", async () => {
  const subscription = follow();
  subscription.resume();
  assert.equal(readings.length, 1);
  await read(7);
  assert.deepEqual(socket.asks, [7]);
});

test("a connection lost while it asks is no trouble", () => {
  follow(10);
  socket.connected = false;
  socket.asked[0]?.answer(new Error("socket has been disconnected"));
  assert.deepEqual(troubles, []);
});

test("no answer is told, and it asks again", () => {
  follow(10);
  socket.asked[0]?.answer(new Error("operation has timed out"));
  assert.equal(troubles.length, 1);
  mock.timers.tick(2_000);
  assert.deepEqual(socket.asks, [10, 10]);
});

test("an answer that comes too late changes nothing", () => {
  const subscription = follow(10);
  subscription.start();
  socket.asked[0]?.answer(null, { snapshot_required: true, position: 9000 });
  assert.equal(subscription.last, 10);
  assert.equal(readings.length, 0);
});

test("a refusal for a while is told, and it asks again", () => {
  for (const status of [429, 503]) {
    follow(10);
    socket.asked.at(-1)?.answer(null, { problem: problem(status) });
  }
  assert.equal(troubles.length, 2);
  mock.timers.tick(2_000);
  assert.equal(socket.asks.length, 4);
});

test("a refusal for good is told, and that is all", () => {
  const subscription = follow(10);
  socket.asked[0]?.answer(null, { problem: problem(404) });
  assert.deepEqual(troubles, [problem(404)]);
  mock.timers.tick(3_600_000);
  subscription.resume();
  subscription.take(change(10, 11));
  assert.deepEqual(socket.asks, [10]);
  assert.deepEqual(applied, []);
  assert.equal(readings.length, 0);
});

test("stopped, it applies nothing and asks nothing", () => {
  const subscription = followFrom(10);
  subscription.stop();
  subscription.take(change(10, 11));
  mock.timers.tick(3_600_000);
  assert.deepEqual(applied, []);
  assert.deepEqual(socket.asks, [10]);
  assert.equal(readings.length, 0);
});

test("stopped while it reads, it asks nothing", async () => {
  follow().stop();
  await read(7);
  assert.deepEqual(socket.asks, []);
});

test("whatever is dropped, doubled or delayed, it applies the log", () => {
  let seed = 20270301;
  const chance = () => ((seed = (seed * 1103515245 + 12345) % 2 ** 31), seed / 2 ** 31);
  for (let run = 0; run < 200; run += 1) {
    const log = Array.from({ length: 30 }, (_, index) => 11 + index * 2 + Math.floor(chance() * 2));
    const sent = log.map((position, index) => change(log[index - 1] ?? 10, position));
    [applied, socket] = [[], new FakeSocket()];
    const subscription = followFrom(10);
    const answered = () => {
      while (socket.asked.length > 0) {
        const { after, answer } = socket.asked.shift()!;
        answer(null, { ok: true, position: log.at(-1)! });
        for (const each of sent.filter(({ position }) => position > after)) {
          if (chance() < 0.9) subscription.take(each);
        }
      }
    };
    for (const each of sent) {
      if (chance() < 0.7) subscription.take(each);
      if (chance() < 0.2) subscription.take(each);
      if (chance() < 0.1) answered();
    }
    while (subscription.last! < log.at(-1)!) {
      subscription.beat({ room: ROOM, position: log.at(-1)!, head: 100 });
      answered();
    }
    assert.deepEqual(applied, log);
    subscription.stop();
  }
});
