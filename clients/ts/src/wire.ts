/** What goes over the socket, in the words of the API. */
import type { components } from "./api.ts";

export type Change = components["schemas"]["LiveChangeBody"];
export type Heartbeat = components["schemas"]["LiveHeartbeatBody"];
export type Problem = components["schemas"]["ProblemBody"];
type Period = components["schemas"]["LivePeriodBody"];

/** What can be followed: a resource, a booking, or with neither all that the tenant has. */
export type Room = { resource_id?: string; booking_id?: never } | { booking_id: string; resource_id?: never };

/** Somebody was refused a slot that you hold. */
export interface Conflict extends Period {
  resource_id: string;
  refused: { actor: string; time: string; problem: string };
  conflicts: (Period & { resource_id: string; booking_id: string; status: string })[];
}

/** A resource's day, as 2027-03-01, and who has it before them. */
export type Day = { resource_id: string; day: string };
export type Planners = { planners: { actor: string; since: string }[] };

type TooOld = { snapshot_required: true; position: number };
type Answer<Well = object, Else = never> = (answer: ({ ok: true } & Well) | { problem: Problem } | Else) => void;

export interface ServerEvents {
  change: (change: Change) => void;
  heartbeat: (heartbeat: Heartbeat) => void;
  snapshot_required: (stopped: { room: Change["room"]; position: number }) => void;
  conflict: (conflict: Conflict) => void;
  presence: (presence: Day & Planners) => void;
  "auth.expired": (why: { problem: Problem }) => void;
}

export interface ClientEvents {
  subscribe: (what: Room & { after: number }, answer: Answer<{ position: number }, TooOld>) => void;
  unsubscribe: (what: Room) => void;
  "auth.refresh": (shown: { token: string }, answer: Answer) => void;
  "presence.enter": (day: Day, answer: Answer<Planners>) => void;
  "presence.leave": (day: Day, answer: Answer<Planners>) => void;
}
