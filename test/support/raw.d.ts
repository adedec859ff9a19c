/** A file as text, read by Vite when the tests are built: workerd has no files. */
declare module "*?raw" {
  const text: string;
  export default text;
}
