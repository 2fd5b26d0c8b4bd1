/**
 * Live updates over Socket.IO: one connection, signed in with a token that is fresh whenever the
 * connection is, kept up by `auth.refresh` before the token ends, and the rooms that are followed.
 */
import { io, type ManagerOptions, type SocketOptions } from "socket.io-client";

import { ANSWER_MS, type Following, type LiveSocket, Subscription, type Trouble } from "./subscription.ts";
import { type Token, tokenOf, type TokenSource } from "./token.ts";
import type { Change, Problem, Room } from "./wire.ts";

export interface LiveOptions {
  /** Where the engine listens, as `https://booking.example`. */
  url: string;
  /** Gives an API key or a session token; asked for each connection, and before the last one ends. */
  token: TokenSource;
  /** Told whatever goes wrong and cannot be, or could not yet be, put right from here. */
  trouble: Trouble;
  /** Socket.IO's own, as `transports: ["websocket"]`, which needs no affinity of several processes. */
  socket?: Partial<ManagerOptions & SocketOptions>;
}

const EARLY_MS = 30_000; // before a token ends, another one is shown
const LONGEST_MS = 2 ** 31 - 1; // that a timer can wait
const AGAIN_MS = 1_000;

export class Live {
  /** For what is no sequence: `socket.on("conflict", …)`, `"presence"`, `emitWithAck("presence.enter", …)`. */
  readonly socket: LiveSocket;
  readonly #options: LiveOptions;
  readonly #rooms = new Map<string, Subscription>();
  #shown: Token = { token: "" };
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  #connecting: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
    const query = { affinity: crypto.randomUUID() }; // by which a proxy brings all polls to the same process
    this.socket = io(options.url, { query, ...options.socket, auth: (show) => void this.#signIn(show) });
    this.socket.on("change", (change) => this.#rooms.get(key(change.room))?.take(change));
    this.socket.on("heartbeat", (beat) => this.#rooms.get(key(beat.room))?.beat(beat));
    this.socket.on("snapshot_required", ({ room }) => this.#rooms.get(key(room))?.readAnew());
    this.socket.on("connect", () => this.#connected());
    this.socket.on("disconnect", (reason) => this.#disconnected(reason));
    this.socket.on("connect_error", (error) => this.#refused(error));
  }

  /** Follows a room until `unsubscribe`; each room once. */
  subscribe(room: Room, following: Following): Subscription {
    if (this.#rooms.has(key(room))) throw new Error(`Already subscribed to ${JSON.stringify(room)}`);
    const subscription = new Subscription(this.socket, room, following, this.#options.trouble);
    this.#rooms.set(key(room), subscription);
    subscription.start();
    return subscription;
  }

  unsubscribe(room: Room): void {
    this.#rooms.get(key(room))?.stop();
    this.#rooms.delete(key(room));
    if (this.socket.connected) this.socket.emit("unsubscribe", room);
  }

  close(): void {
    clearTimeout(this.#connecting);
    for (const subscription of this.#rooms.values()) subscription.stop();
    this.#rooms.clear();
    this.socket.disconnect();
  }

  async #signIn(show: (auth: object) => void): Promise<void> {
    try {
      this.#shown = await tokenOf(this.#options.token);
      show({ token: this.#shown.token });
    } catch (error) {
      if (!this.socket.active) return; // closed meanwhile
      this.#options.trouble(error as Error);
      this.socket.disconnect();
      this.#connectLater();
    }
  }

  #connected(): void {
    this.#refreshLater();
    for (const subscription of this.#rooms.values()) subscription.resume();
  }

  /** What broke is mended by socket.io-client itself; what the server has ended, as a token did, is not. */
  #disconnected(reason: string): void {
    clearTimeout(this.#refreshing);
    if (reason === "io server disconnect") this.#connectLater();
  }

  #refused(error: Error & { data?: Problem }): void {
    if (this.socket.active) return; // no answer of the server's: socket.io-client tries again
    this.#options.trouble(error.data ?? error);
    if (error.data?.status !== 401 && error.data?.status !== 403) this.#connectLater();
  }

  #connectLater(): void {
    clearTimeout(this.#connecting);
    this.#connecting = setTimeout(() => this.socket.connect(), AGAIN_MS * (0.5 + Math.random()));
  }

  #refreshLater(): void {
    clearTimeout(this.#refreshing);
    if (this.#shown.expires === undefined) return;
    const left = this.#shown.expires.getTime() - Date.now() - EARLY_MS;
    this.#refreshing = setTimeout(() => void this.#refresh(), Math.min(Math.max(left, AGAIN_MS), LONGEST_MS));
  }

  /** Where this fails the server ends the connection in time, and the next one begins with a fresh token. */
  async #refresh(): Promise<void> {
    try {
      this.#shown = await tokenOf(this.#options.token);
      const { token } = this.#shown;
      const answer = await this.socket.timeout(ANSWER_MS).emitWithAck("auth.refresh", { token });
      if ("problem" in answer) this.#options.trouble(answer.problem);
      else this.#refreshLater();
    } catch (error) {
      if (this.socket.connected) this.#options.trouble(error as Error);
    }
  }
}

const key = (room: Change["room"]) => JSON.stringify([room.resource_id, room.booking_id]).toLowerCase();
