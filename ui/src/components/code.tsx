import { Suspense, lazy, useEffect, useState } from "react";
import { Loading } from "./ui/faces";

const CodeEditor = lazy(() => import("./code-editor"));

/** A value as YAML, read-only. */
export function YamlView({ value, label }: { value: unknown; label: string }) {
  const [text, setText] = useState<string | null>(null);
  useEffect(() => {
    let shown = true;
    void import("yaml").then(({ stringify }) => shown && setText(stringify(value, { lineWidth: 100 })));
    return () => {
      shown = false;
    };
  }, [value]);
  if (text === null) return <Loading label={`Loading ${label}`} rows={2} />;
  return (
    <Suspense fallback={<Loading label={`Loading ${label}`} rows={2} />}>
      <CodeEditor value={text} label={label} />
    </Suspense>
  );
}

export function YamlEditor({ value, onChange, label }: { value: string; onChange: (value: string) => void; label: string }) {
  return (
    <Suspense fallback={<Loading label={`Loading ${label}`} rows={2} />}>
      <CodeEditor value={value} onChange={onChange} label={label} />
    </Suspense>
  );
}

/** A small value as text; long ones scroll. */
export function Json({ value, label }: { value: unknown; label: string }) {
  return (
    <pre tabIndex={0} role="region" aria-label={label} className="max-h-80 overflow-auto rounded-md border border-line bg-ground p-3 font-mono text-[12px] leading-relaxed">
      {JSON.stringify(value, null, 2)}
    </pre>
  );
}
