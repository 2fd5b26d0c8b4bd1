export type { paths, components } from "./api.ts";
export { BookingHttp, type HttpOptions } from "./http.ts";
export { Live, type LiveOptions } from "./live.ts";
export type { Following, Subscription, Trouble } from "./subscription.ts";
export type { Token, TokenSource } from "./token.ts";
export type * from "./wire.ts";
