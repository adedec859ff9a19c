/** The same in front of a store that can't read from the middle: read from byte 0 again, or waited for. */
import "../edge/fill/wrong-data.test.ts";
