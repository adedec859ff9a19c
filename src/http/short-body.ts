/** The body of an answer that should be short, such as a refusal: whatever sends it, only so much of it is read. */

/** The first `most` bytes of the body as text. The rest is not read, and its connection is let go. */
export async function readShort(response: Response, most: number): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let left = most;
  while (reader !== undefined && left > 0) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value.subarray(0, left), { stream: true });
    left -= Math.min(left, value.byteLength);
  }
  await reader?.cancel();
  return text;
}
