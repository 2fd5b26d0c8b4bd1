/** Reads see the client's own last write, and writes are sent again without being done twice. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";

import { BookingHttp } from "../src/http.ts";

type Seen = { method: string; url: string; headers: IncomingMessage["headers"]; body: string };
type Reply = (answer: ServerResponse) => void;

const FORM = { name: "Stage 1", kind: "stage", timezone: "UTC" };

let seen: Seen[];
let replies: Reply[];
let url: string;

/** Answers what the test has laid ready, in its order. */
const server = createServer(async (request, answer) => {
  let body = "";
  for await (const part of request) body += part;
  seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
  (replies.shift() ?? reply(200))(answer);
});

function reply(status: number, headers: Record<string, string> = {}): Reply {
  const type = status < 400 ? "application/json" : "application/problem+json";
  return (answer) => answer.writeHead(status, { "Content-Type": type, ...headers }).end(JSON.stringify({ status }));
}

const hangUp: Reply = (answer) => answer.destroy();

before(async () => {
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());
beforeEach(() => {
  [seen, replies] = [[], []];
});

const client = (tries = 5) => new BookingHttp({ url, token: () => "a-key", tries });
const header = (name: string) => seen.map(({ headers }) => headers[name]);

test("each request shows a token that is asked for anew", async () => {
  let shown = 0;
  const { api } = new BookingHttp({ url, token: async () => ({ token: `token-${(shown += 1)}` }) });
  await api.GET("/v1/resources");
  await api.GET("/v1/resources");
  assert.deepEqual(header("authorization"), ["Bearer token-1", "Bearer token-2"]);
});

test("a read sees the last write, and one before any write waits for nothing", async () => {
  const { api } = client();
  replies = [reply(200), reply(201, { "Event-Position": "42" }), reply(201, { "Event-Position": "41" })];
  await api.GET("/v1/resources");
  await api.POST("/v1/resources", { body: FORM });
  await api.POST("/v1/resources", { body: FORM });
  await api.GET("/v1/resources");
  assert.deepEqual(header("min-event-position"), [undefined, undefined, undefined, "42"]);
});

test("a later position that the caller asks for stands", async () => {
  const http = client();
  http.lastWrite = 42;
  for (const position of [41, 43]) {
    await http.api.GET("/v1/resources", { params: { header: { "Min-Event-Position": position } } });
  }
  assert.deepEqual(header("min-event-position"), ["42", "43"]);
});

test("the position that a read is answered at is no write's", async () => {
  const http = client();
  replies = [reply(200, { "Event-Position": "42" })];
  await http.api.GET("/v1/resources");
  assert.equal(http.lastWrite, 0);
});

test("each write has a key of its own, and the caller's where it has one", async () => {
  const { api } = client();
  await api.POST("/v1/resources", { body: FORM });
  await api.POST("/v1/resources", { body: FORM });
  await api.POST("/v1/resources", { body: FORM, params: { header: { "Idempotency-Key": "mine" } } });
  const keys = header("idempotency-key");
  assert.match(String(keys[0]), /^[0-9a-f-]{36}$/);
  assert.notEqual(keys[0], keys[1]);
  assert.equal(keys[2], "mine");
});

test("told to wait, it waits and sends the same again under the same key", async () => {
  for (const status of [429, 503]) {
    seen = [];
    replies = [reply(status, { "Retry-After": "0.01" }), reply(status, { "Retry-After": "0.01" }), reply(201)];
    const { response } = await client().api.POST("/v1/resources", { body: FORM });
    assert.equal(response.status, 201);
    assert.equal(new Set(header("idempotency-key")).size, 1);
    assert.deepEqual(seen.map(({ body }) => body), Array(3).fill(JSON.stringify(FORM)));
  }
});

test("an answer that was lost is asked for again", async () => {
  replies = [hangUp, reply(201)];
  const { response } = await client().api.POST("/v1/resources", { body: FORM });
  assert.equal(response.status, 201);
  assert.equal(new Set(header("idempotency-key")).size, 1);
});

test("after the last try the caller gets the answer, or the error", async () => {
  replies = Array(2).fill(reply(503, { "Retry-After": "0.01" }));
  const { error, response } = await client(2).api.GET("/v1/resources");
  assert.equal(response.status, 503);
  assert.equal(error?.status, 503);
  replies = [hangUp];
  await assert.rejects(client(1).api.GET("/v1/resources"), TypeError);
  assert.equal(seen.length, 3);
});

test("whoever is to wait too long gets the answer at once, and so does any other refusal", async () => {
  for (const refusal of [reply(429, { "Retry-After": "3600" }), reply(409), reply(500)]) {
    seen = [];
    replies = [refusal];
    const { error } = await client().api.POST("/v1/resources", { body: FORM });
    assert.ok(error);
    assert.equal(seen.length, 1);
  }
});

test("who has lost interest is not kept waiting", { timeout: 15_000 }, async () => {
  const interest = new AbortController();
  const getting = { signal: interest.signal };
  replies = [(answer) => (reply(503, { "Retry-After": "25" })(answer), setTimeout(() => interest.abort(), 100))];
  await assert.rejects(client().api.GET("/v1/resources", getting), { name: "AbortError" });
  assert.equal(seen.length, 1);
});

test("who has lost interest before there is an answer is not kept waiting either", { timeout: 15_000 }, async () => {
  const interest = new AbortController();
  replies = [() => interest.abort()];
  await assert.rejects(client(100).api.GET("/v1/resources", { signal: interest.signal }), { name: "AbortError" });
  assert.equal(seen.length, 1);
});
