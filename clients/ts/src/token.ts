/** What a client shows: an API key, or a session token that ends at some time. */
export interface Token {
  token: string;
  expires?: Date;
}

/** Gives what is valid now; asked again for each request and each connection. */
export type TokenSource = () => string | Token | Promise<string | Token>;

export async function tokenOf(source: TokenSource): Promise<Token> {
  const given = await source();
  return typeof given === "string" ? { token: given } : given;
}
