/** A question before something is done, with what it is about; what goes wrong is said in it. */
import type { ComponentChildren, TargetedSubmitEvent } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiFailure } from "./client.ts";

interface Props {
  readonly title: string;
  readonly action: string;
  readonly danger?: boolean;
  readonly children: ComponentChildren;
  /** Does it. @throws ApiFailure */
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
}

export function Dialog({ title, action, danger = false, children, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOver = useRef(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const heading = useId();
  // Before anything is drawn: the next key is the dialog's already.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => {
      isOver.current = true;
      // Gives the focus back to what it was opened from.
      element?.close();
    };
  }, []);
  const closed = () => {
    // Told late, of one that is gone: the next one may be open by now.
    if (!isOver.current) onClose();
  };
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await onConfirm();
      onClose();
    } catch (cause) {
      setProblem(cause instanceof ApiFailure ? cause.message : `The page has a fault: ${cause}`);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={closed}>
      <form onSubmit={submit}>
        <h2 id={heading}>{title}</h2>
        {children}
        {problem !== null && (
          <p role="alert" class="problem">
            {problem}
          </p>
        )}
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={busy}>
            {busy ? "Working…" : action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
