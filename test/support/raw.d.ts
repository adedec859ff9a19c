/** A file as text, read by Vite when the tests are built: workerd has no files. */
declare module "*?raw" {
  const text: string;
  export default text;
}

/** Files as texts, by their paths. @param options what Vite is to make of them */
interface ImportMeta {
  glob<T>(
    pattern: string,
    options: { readonly query: "?raw"; readonly import: "default"; readonly eager: true },
  ): Record<string, T>;
}
