/**
 * The HTTP API with the types of its OpenAPI document, and what each client of it wants: a token
 * with every request, reads that see the client's own last write, and writes that can be sent again
 * without being done twice.
 */
import createClient, { type Client } from "openapi-fetch";

import type { paths } from "./api.ts";
import { tokenOf, type TokenSource } from "./token.ts";

export interface HttpOptions {
  /** Where the engine listens, as `https://booking.example`. */
  url: string;
  /** Gives an API key or a session token; asked before each request. */
  token: TokenSource;
  /** How often a request is sent at most, the first time counted (5). */
  tries?: number;
}

const TRY_AGAIN = [429, 503];
const LONGEST_SECONDS = 30; // who is told to wait longer is given the answer

/** One client speaks for one tenant: positions of different tenants have nothing to do with each other. */
export class BookingHttp {
  /** The calls: `GET("/v1/bookings")` and so on, each with `data`, or with the problem as `error`. */
  readonly api: Client<paths>;
  /** The position of the last write of this client's own; 0 before the first. */
  lastWrite = 0;
  readonly #options: Required<HttpOptions>;

  constructor(options: HttpOptions) {
    this.#options = { tries: 5, ...options };
    this.api = createClient<paths>({ baseUrl: options.url, fetch: (request) => this.#send(request) });
  }

  async #send(request: Request): Promise<Response> {
    const { headers } = request;
    const reads = request.method === "GET";
    if (reads && this.lastWrite > Number(headers.get("Min-Event-Position"))) {
      headers.set("Min-Event-Position", String(this.lastWrite));
    }
    if (!reads && !headers.has("Idempotency-Key")) {
      headers.set("Idempotency-Key", crypto.randomUUID());
    }
    const answer = await this.#sendUntilTaken(request);
    if (!reads) {
      this.lastWrite = Math.max(this.lastWrite, Number(answer.headers.get("Event-Position")));
    }
    return answer;
  }

  /** Sends it again when told to wait, and when no answer came: that it may have been done is what the key is for. */
  async #sendUntilTaken(request: Request): Promise<Response> {
    for (let left = this.#options.tries - 1; ; left -= 1) {
      const { token } = await tokenOf(this.#options.token);
      request.headers.set("Authorization", `Bearer ${token}`);
      const answer = await fetch(request.clone()).catch((error: unknown) => {
        if (left <= 0 || request.signal.aborted) throw error;
        return undefined;
      });
      const seconds = Number(answer?.headers.get("Retry-After")) || 1; // one where none are named
      if (answer && (left <= 0 || !TRY_AGAIN.includes(answer.status) || seconds > LONGEST_SECONDS)) {
        return answer;
      }
      await answer?.body?.cancel();
      await pause(seconds * (1 + Math.random() / 2), request.signal); // not all clients at one moment
    }
  }
}

/** Waits so many seconds, or rejects as soon as the signal is aborted. */
function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
