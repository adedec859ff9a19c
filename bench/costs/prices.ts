/**
 * List prices in US dollars, without tax and beyond what is included. Read in November 2026:
 * https://developers.cloudflare.com/workers/platform/pricing/, /r2/pricing/, /durable-objects/platform/pricing/ and
 * /d1/platform/pricing/. Data that leaves costs nothing.
 */
/** For one of each. */
export const PRICES = {
  workerRequests: 0.3 / 1e6,
  cpuMs: 0.02 / 1e6,
  classA: 4.5 / 1e6,
  classB: 0.36 / 1e6,
  rowsRead: 0.001 / 1e6,
  rowsWritten: 1 / 1e6,
  objectRequests: 0.15 / 1e6,
  /** GB-s; an object counts as 128 MB, whatever it holds. */
  objectGbSeconds: 12.5 / 1e6,
} as const;

/** In a month. */
export const WORKERS_PAID = 5;
export const INCLUDED: Readonly<Record<keyof typeof PRICES, number>> = {
  workerRequests: 10e6,
  cpuMs: 30e6,
  classA: 1e6,
  classB: 10e6,
  rowsRead: 25e9,
  rowsWritten: 50e6,
  objectRequests: 1e6,
  objectGbSeconds: 400_000,
};
/** Of R2, for one GB and a month. */
export const STORAGE = { gb: 0.015, included: 10 } as const;

/** What leaves a hyperscaler's region for the internet, per GB of the first 10 TB (Google: the first TiB) of a month. */
export const EGRESS = [
  { who: "AWS", gb: 0.09, source: "https://aws.amazon.com/ec2/pricing/on-demand/, Data Transfer, as quoted in 2026" },
  { who: "Azure", gb: 0.087, source: "https://azure.microsoft.com/pricing/details/bandwidth/, as quoted in May 2026" },
  {
    who: "Google Cloud",
    gb: 0.12,
    source: "https://cloud.google.com/vpc/network-pricing, Premium Tier, September 2026",
  },
] as const;
