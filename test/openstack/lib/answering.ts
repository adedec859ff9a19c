/** Waiting for a program to answer. */
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until the URL gives any answer.
 * @param died rejects when the program that should answer has ended
 * @throws Error when it does not answer in time, or died
 */
export async function untilAnswers(url: string, died: Promise<never>, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answered = fetch(url, { signal: AbortSignal.timeout(10_000) }).then(
      async (response) => {
        await response.body?.cancel();
        return true;
      },
      () => false, // Not listening yet, which is what is waited for.
    );
    if (await Promise.race([answered, died])) return;
    if (Date.now() > deadline) throw new Error(`${url} did not answer within ${seconds} s`);
    await Promise.race([sleep(100), died]);
  }
}
