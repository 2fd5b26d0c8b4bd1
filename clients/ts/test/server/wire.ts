/** A wire to the server that can be cut: what was on it is lost, and nobody gets through until it is mended. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Wire {
  readonly #server: Server;
  readonly #ends = new Set<Socket>();
  #isCut = false;

  private constructor(server: string) {
    const { hostname, port } = new URL(server);
    this.#server = createServer((near) => {
      if (this.#isCut) {
        near.destroy();
        return;
      }
      const far = connect(Number(port), hostname);
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.#ends.add(from);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => (to.destroy(), this.#ends.delete(from)));
      }
    });
  }

  static async to(server: string): Promise<Wire> {
    const wire = new Wire(server);
    await new Promise<void>((listening) => wire.#server.listen(0, "127.0.0.1", listening));
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#isCut = true;
    for (const end of this.#ends) end.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
