/**
 * Who is using the page. The session itself is in a cookie that scripts cannot read; here is only whether the server asked
 * for one, so that the login can stand where the page was.
 */
type Listener = () => void;

let asked = false;
const listeners = new Set<Listener>();

function set(value: boolean) {
  if (asked === value) return;
  asked = value;
  for (const listener of listeners) listener();
}

export const session = {
  /** Whether the server wants to know who this is. */
  isAsked: () => asked,
  subscribe: (listener: Listener): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  /** The server refused something because it does not know who asked. */
  refused: () => set(true),
  /** Somebody logged in. */
  entered: () => set(false),
};
