/** All of the contract. */
import type { Case } from "./case.ts";
import { CACHE } from "./cases/cache.ts";
import { CHANGES } from "./cases/changes.ts";
import { MEMBERS } from "./cases/members.ts";
import { RANGES } from "./cases/ranges.ts";
import { READS } from "./cases/reads.ts";
import { RIGHTS } from "./cases/rights.ts";

export const CASES: readonly Case[] = [...RIGHTS, ...RANGES, ...READS, ...CACHE, ...CHANGES, ...MEMBERS];
