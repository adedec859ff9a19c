/** A file as text, read by Vite when the tests are built: workerd has no files. */
declare module "*?raw" {
  const text: string;
  export default text;
}

/** Files as text, of Vite as well (https://vite.dev/guide/features.html#glob-import). */
interface ImportMeta {
  glob<T>(pattern: string, options: { query: "?raw"; import: "default"; eager: true }): Record<string, T>;
}
