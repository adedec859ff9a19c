/** The edge's clock, which can jump. Patched once for the isolate, before the edge's own code runs. */

const real = Date.now.bind(Date);
let ahead = 0;

Date.now = () => real() + ahead;

export const clock = {
  jump(ms: number): void {
    ahead += ms;
  },
  /** What the platform calls this time of the edge's. */
  toReal(at: number): number {
    return at - ahead;
  },
};
