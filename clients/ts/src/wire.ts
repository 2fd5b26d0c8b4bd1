/** What goes over the socket, in the words of the API. */
import type { components } from "./api.ts";

export type Booking = components["schemas"]["BookingBody"];
export type Resource = components["schemas"]["ResourceBody"];
export type Problem = components["schemas"]["ProblemBody"];

/** What can be followed: a resource, a booking, or with neither all that the tenant has. */
export type Room = { resource_id?: string; booking_id?: never } | { booking_id: string; resource_id?: never };
export type Period = { start_time: string; end_time: string };

/** One event of the log. `prev` is the position of the one before it in the room. */
export interface Change {
  room: Room;
  position: number;
  prev: number;
  type: string;
  time: string;
  actor: string;
  booking: Omit<Booking, "customer" | "notes" | "attributes" | "position" | "created_at" | "updated_at"> | null;
  resource: Pick<Resource, "id" | "name" | "kind" | "timezone" | "retired" | "version"> | null;
  availability: { resource_id: string; taken: Period[]; freed: Period[] }[];
}

/** Where a room is (`position`), and how far the tenant's log was followed (`head`). */
export type Heartbeat = { room: Room; position: number; head: number };

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
  snapshot_required: (stopped: { room: Room; position: number }) => void;
  conflict: (conflict: Conflict) => void;
  presence: (presence: Day & Planners) => void;
  "auth.expired": () => void;
}

export interface ClientEvents {
  subscribe: (what: Room & { after: number }, answer: Answer<{ position: number }, TooOld>) => void;
  unsubscribe: (what: Room) => void;
  "auth.refresh": (shown: { token: string }, answer: Answer) => void;
  "presence.enter": (day: Day, answer: Answer<Planners>) => void;
  "presence.leave": (day: Day, answer: Answer<Planners>) => void;
}
