import { Dialog } from "./ui/dialog";
import { Kbd } from "./ui/fields";

const KEYS: [string[], string][] = [
  [["Ctrl K"], "Go to a page, a task or a job"],
  [["g", "d"], "Dashboard"],
  [["g", "t"], "Tasks"],
  [["g", "j"], "Jobs"],
  [["g", "w"], "Workers"],
  [["/"], "Search this page or its log"],
  [["n"], "Next hit in a log"],
  [["N"], "Hit before in a log"],
  [["e"], "Errors in a log"],
  [["f"], "Follow a log"],
  [["?"], "These keys"],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
        {KEYS.map(([keys, text]) => (
          <div key={text} className="contents">
            <dt className="space-x-1">
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
