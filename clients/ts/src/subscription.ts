/**
 * One room, followed without gap or double: each change says which one came before it, so that a
 * lost one is noticed, by the next change or by a heartbeat, and asked for again.
 *
 *     read ──position──▶ ask ──answer──▶ whole ──a gap, silence, a new connection──▶ ask
 *      ▲                  │ too old        │ too old
 *      └──────────────────┴────────────────┘
 */
import type { Socket } from "socket.io-client";

import type { Change, ClientEvents, Heartbeat, Problem, Room, ServerEvents } from "./wire.ts";

export interface Following {
  /**
   * Reads anew what the changes are about, say a calendar, and gives its `Event-Position`. Called
   * first, unless `after` is given, and whenever the server no longer has the changes since `last`.
   */
  read: () => Promise<number>;
  /** Called with each change after that position, once and in order. */
  apply: (change: Change) => void;
  /** A position that is known already: only what comes after it is wanted. */
  after?: number;
}

export type Trouble = (what: Problem | Error, room?: Room) => void;

export type LiveSocket = Socket<ServerEvents, ClientEvents>;

export const ANSWER_MS = 10_000;
const AGAIN_MS = 2_000;
const SILENCE_MS = 60_000; // four heartbeats: a server that has forgotten us says nothing at all

export class Subscription {
  /** The position up to which all is applied; none before the first reading. */
  last: number | undefined;
  readonly #socket: LiveSocket;
  readonly #room: Room;
  readonly #following: Following;
  readonly #trouble: Trouble;
  #round = 0; // of reading and asking: what an earlier one brings is passed over
  #whole = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: LiveSocket, room: Room, following: Following, trouble: Trouble) {
    [this.#socket, this.#room, this.#following, this.#trouble] = [socket, room, following, trouble];
    this.last = following.after;
  }

  /** With a new connection; one that reads still, or was refused for good, asks nothing of it. */
  resume(): void {
    if (this.last !== undefined) this.start();
  }

  /** Reads, or asks for what came after `last`: now, or of the next connection. */
  start(): void {
    const round = this.#nextRound();
    if (this.last === undefined) void this.#read(round);
    else if (this.#socket.connected) this.#ask(round, this.last);
  }

  /** Nothing is applied from now on. */
  stop(): void {
    this.#nextRound();
    this.last = undefined;
  }

  take(change: Change): void {
    if (this.#advance(change.prev, change.position)) this.#following.apply(change);
  }

  beat(heartbeat: Heartbeat): void {
    this.#advance(heartbeat.position, heartbeat.head);
  }

  readAnew(): void {
    this.last = undefined;
    this.start();
  }

  async #read(round: number): Promise<void> {
    try {
      const position = await this.#following.read();
      if (round !== this.#round) return;
      this.last = position;
      this.start();
    } catch (error) {
      if (round === this.#round) this.#failed(error as Error);
    }
  }

  #ask(round: number, after: number): void {
    this.#socket.timeout(ANSWER_MS).emit("subscribe", { ...this.#room, after }, (error, answer) => {
      if (round !== this.#round || (error && !this.#socket.connected)) return; // a new connection asks
      if (error) this.#failed(error);
      else if ("snapshot_required" in answer) this.readAnew();
      else if ("problem" in answer) this.#failed(answer.problem);
      else {
        this.#whole = true;
        this.#after(SILENCE_MS);
      }
    });
  }

  /** What a client cannot help is tried again; else the server has said no for good. */
  #failed(why: Problem | Error): void {
    if ("status" in why && why.status < 500 && why.status !== 429) this.stop();
    else this.#after(AGAIN_MS);
    this.#trouble(why, this.#room);
  }

  /** Goes on to a position, if nothing is missing before it; whether that is news. */
  #advance(before: number, position: number): boolean {
    if (this.last === undefined) return false;
    if (before > this.last) {
      if (this.#whole) this.start();
      return false;
    }
    if (this.#whole) this.#after(SILENCE_MS);
    const isNews = position > this.last;
    this.last = Math.max(this.last, position); // before it is applied: what cannot be is not sent for ever
    return isNews;
  }

  #after(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), milliseconds);
  }

  #nextRound(): number {
    clearTimeout(this.#timer);
    this.#whole = false;
    return ++this.#round;
  }
}
