/** The client against the real server; BOOKING_URL and BOOKING_KEY say where it is, and who comes. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, test, type TestContext } from "node:test";

import { BookingHttp, Live, type Change, type LiveOptions, type Problem, type Room } from "booking-client";

import { Wire } from "./wire.ts";

const { BOOKING_URL: url, BOOKING_KEY: key, BOOKING_KEY_MAKER: keyMaker } = process.env as Record<string, string>;
const http = new BookingHttp({ url: url!, token: () => key! });
const DAY = { from: "2027-03-01T00:00:00Z", to: "2027-03-02T00:00:00Z" };

async function stage(): Promise<string> {
  const { data } = await http.api.POST("/v1/resources", { body: { name: "Stage", kind: "stage", timezone: "UTC" } });
  return data!.id;
}

function book(resource: string, hour: number) {
  const at = (hour: number) => `2027-03-01T${String(hour).padStart(2, "0")}:00:00Z`;
  return http.api.POST("/v1/bookings", {
    body: { resource_ids: [resource], title: "Pilot", status: "confirmed", start_time: at(hour), end_time: at(hour + 1) },
  });
}

async function taken(resource: string): Promise<string[]> {
  const { data } = await http.api.GET("/v1/resources/{resource_id}/calendar", {
    params: { path: { resource_id: resource }, query: DAY },
  });
  return data!.items.map(({ start_time }) => start_time);
}

/** Positions of what the log has of a stage's bookings after a position. */
async function logOf(resource: string, after: number): Promise<number[]> {
  const { data } = await http.api.GET("/v1/events", { params: { query: { after, limit: 200 } } });
  const bookings = new Set(
    data!.items.filter(({ data }) => JSON.stringify(data).includes(resource)).map(({ subject }) => subject),
  );
  return data!.items.filter(({ subject }) => bookings.has(subject)).map(({ sequence }) => Number(sequence));
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !holds(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    assert.ok(Date.now() < deadline, `It did not come about: ${holds}`);
  }
}

/** A client that ends with the test, and whatever went wrong with it. */
function come(t: TestContext, options: Partial<LiveOptions> = {}) {
  const troubles: (Problem | Error)[] = [];
  const live = new Live({
    url: url!,
    token: () => key!,
    trouble: (what) => troubles.push(what),
    ...options,
    socket: { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50, ...options.socket },
  });
  t.after(() => live.close());
  return { live, troubles };
}

/**
 * What a client is told of a room from now on. What it reads is that nothing has happened yet: told to read anew, as
 * by a server that is not as far as the client, it is told all of it once more.
 */
function watch(live: Live, room: Room, after?: number) {
  const start = http.lastWrite;
  const [seen, reads]: [Change[], number[]] = [[], []];
  const read = async () => {
    seen.length = 0;
    reads.push(start);
    return start;
  };
  const apply = (change: Change) => seen.push(change);
  const subscription = live.subscribe(room, { read, apply, ...(after === undefined ? {} : { after }) });
  return { start, seen, reads, subscription };
}

describe("live", { concurrency: true }, () => {
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    test(`${transports.join(", then ")}: what is missed while the wire is cut comes after, once and in order`, async (t) => {
      const [resource, wire] = [await stage(), await Wire.to(url!)];
      t.after(() => wire.close());
      const { live, troubles } = come(t, { url: wire.url, socket: { transports } });
      const { start, seen, reads } = watch(live, { resource_id: resource });

      const { data: first } = await book(resource, 8);
      await until(() => seen.length === 1);
      assert.equal(seen[0]!.booking?.id, first!.id);
      assert.deepEqual(seen[0]!.availability[0]!.taken, [
        { start_time: "2027-03-01T08:00:00Z", end_time: "2027-03-01T09:00:00Z" },
      ]);

      const before = reads.length;
      wire.cut();
      await until(() => !live.socket.connected);
      for (const hour of [9, 10, 11]) await book(resource, hour);
      await http.api.POST("/v1/bookings/{booking_id}/cancel", { params: { path: { booking_id: first!.id } } });
      wire.mend();
      await until(() => live.socket.connected);
      await book(resource, 12);
      await until(() => seen.length >= 6);

      assert.deepEqual(seen.map(({ position }) => position), await logOf(resource, start));
      const shown = new Set<string>();
      for (const change of seen.flatMap(({ availability }) => availability)) {
        for (const { start_time } of change.freed) shown.delete(start_time);
        for (const { start_time } of change.taken) shown.add(start_time);
      }
      assert.deepEqual([...shown].sort(), await taken(resource));
      assert.equal(reads.length, before);
      assert.deepEqual(troubles, []);
    });
  }

  test("a position that the log does not have: it reads anew, and goes on from there", async (t) => {
    const resource = await stage();
    const { live, troubles } = come(t);
    const { seen, reads, subscription } = watch(live, { resource_id: resource }, 1_000_000);
    await until(() => reads.length > 0);
    await book(resource, 8);
    await until(() => seen.length === 1);
    assert.ok(subscription.last! < 1_000_000);
    assert.deepEqual(troubles, []);
  });

  test("what happens elsewhere moves it on by heartbeats, without a word", async (t) => {
    const [resource, other] = [await stage(), await stage()];
    const { live } = come(t);
    const { seen, subscription } = watch(live, { resource_id: resource });
    await book(other, 8);
    await until(() => subscription.last! >= http.lastWrite);
    assert.deepEqual(seen, []);
  });

  test("the tenant's room tells of all, a booking's of its own", async (t) => {
    const resource = await stage();
    const { data: booking } = await book(resource, 8);
    const { live } = come(t);
    const [all, one] = [{}, { booking_id: booking!.id }].map((room) => watch(live, room));
    const path = { booking_id: booking!.id };
    await http.api.POST("/v1/bookings/{booking_id}/cancel", { params: { path } });
    await book(resource, 8);
    const ofTheStage = () => all!.seen.filter(({ booking }) => booking?.resource_ids.includes(resource));
    await until(() => one!.seen.length === 1 && ofTheStage().length === 2);
    assert.equal(one!.seen[0]!.booking?.status, "cancelled");
    live.unsubscribe({});
    await http.api.PATCH("/v1/bookings/{booking_id}", { params: { path }, body: { title: "Pilot, again" } });
    await until(() => one!.seen.length === 2);
    assert.equal(ofTheStage().length, 2);
  });

  test("what there is not is told, and not asked for again", async (t) => {
    const { live, troubles } = come(t);
    live.subscribe({ booking_id: "01981d2a-7c00-7a3e-8f10-5b1c6e2d9b02" }, { read: async () => 0, apply: () => assert.fail() });
    await until(() => troubles.length === 1);
    assert.equal((troubles[0] as Problem).type, "/problems/not-found");
  });

  test("a key that nobody knows is told, and not shown again", async (t) => {
    let shown = 0;
    const { live, troubles } = come(t, { token: () => `bk_unknown_${(shown += 1)}` });
    await until(() => troubles.length === 1);
    assert.equal((troubles[0] as Problem).type, "/problems/unauthenticated");
    assert.equal(live.socket.active, false);
    assert.equal(shown, 1);
  });

  test("who cannot get a token for a while comes later", async (t) => {
    let asked = 0;
    const { live, troubles } = come(t, {
      token: async () => {
        if ((asked += 1) === 1) throw new Error("nobody gives tokens now");
        return key!;
      },
    });
    await until(() => live.socket.connected);
    assert.deepEqual(troubles.map((what) => "message" in what && what.message), ["nobody gives tokens now"]);
  });

  test("a token is renewed before it ends, on the same connection", async (t) => {
    let shown = 0;
    const soon = () => new Date(Date.now() + (shown === 0 ? 30_500 : 3_600_000));
    const { live, troubles } = come(t, { token: () => ({ expires: soon(), token: (shown += 1, key!) }) });
    await until(() => live.socket.connected);
    const { id } = live.socket;
    await until(() => shown === 2);
    assert.deepEqual(await live.socket.emitWithAck("auth.refresh", { token: key! }), { ok: true });
    assert.equal(live.socket.id, id);
    assert.deepEqual(troubles, []);
  });

  test("a token that has ended ends the connection, and the next one begins with a fresh one", async (t) => {
    const resource = await stage();
    let [expired, shown] = [0, 0];
    const { live } = come(t, {
      token: () => (expired === 0 ? text(connect(Number(keyMaker), "127.0.0.1")) : ((shown += 1), key!)),
      trouble: () => live.socket.connect(), // where a key has ended before it was looked at, another one is shown
    });
    live.socket.on("auth.expired", () => (expired += 1));
    const { seen } = watch(live, { resource_id: resource });
    await until(() => expired === 1);
    await book(resource, 8);
    await until(() => seen.length === 1);
    assert.equal(shown, 1);
  });

  test("who holds a slot is told who was refused it; planners of a day see one another", async (t) => {
    const resource = await stage();
    const { data: booking } = await book(resource, 8);
    const [{ live: holder }, { live: other }] = [come(t), come(t)];
    const conflict = new Promise<unknown>((resolve) =>
      holder.socket.on("conflict", (told) => told.resource_id === resource && resolve(told.conflicts[0]?.booking_id)),
    );
    const there = new Promise<number>((resolve) =>
      holder.socket.on("presence", ({ resource_id, planners }) => resource_id === resource && resolve(planners.length)),
    );
    const day = { resource_id: resource, day: "2027-03-01" };
    assert.ok("planners" in (await holder.socket.emitWithAck("presence.enter", day)));
    assert.ok("planners" in (await other.socket.emitWithAck("presence.enter", day)));
    assert.ok((await there) > 0);
    assert.equal((await book(resource, 8)).response.status, 409);
    assert.equal(await conflict, booking!.id);
  });
});
