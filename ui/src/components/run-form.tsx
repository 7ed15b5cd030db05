import { ApiError, api } from "@/api/client";
import { cn } from "@/lib/cn";
import { BUILT_IN, type Entries, type Entry, type Field, fieldsOf, firstEntries, toInput } from "@/lib/form";
import { useNavigate } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { type FormEvent, useId, useMemo, useState } from "react";
import { YamlEditor } from "./code";
import { Button } from "./ui/button";
import { Dialog } from "./ui/dialog";
import { sentence } from "./ui/faces";
import { Input, Select, TextArea } from "./ui/fields";

interface Props {
  workspace: string;
  task: string;
  schema: unknown;
  /** The input of an earlier job. */
  input?: Record<string, unknown>;
  onClose: () => void;
}

/** Runs a task with an input that is made in a form, or written as YAML. */
export function RunDialog({ workspace, task, schema, input, onClose }: Props) {
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  const [entries, setEntries] = useState<Entries>(() => firstEntries(fields, input));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [text, setText] = useState<string | null>(null);
  const navigate = useNavigate();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setRefusal(null);
    let body: Record<string, unknown>;
    if (text === null) {
      const made = toInput(fields, entries);
      setErrors(made.errors);
      if (Object.keys(made.errors).length > 0) {
        focusFirst(fields, made.errors);
        return;
      }
      body = made.input;
    } else {
      const read = await readYaml(text);
      if (typeof read === "string") {
        setRefusal(read);
        return;
      }
      body = read;
    }
    setBusy(true);
    try {
      const { job_id } = await api.post("/api/workspaces/{ws}/tasks/{task}/execute", { path: { ws: workspace, task }, body: { input: body } });
      onClose();
      await navigate({ to: "/jobs/$id", params: { id: job_id } });
    } catch (error) {
      setBusy(false);
      const details = error instanceof ApiError && error.body.code === "invalid_input" ? (error.body.details ?? []) : [];
      const known = details.filter((detail) => fields.some((field) => field.key === detail.place));
      if (text === null && known.length > 0) {
        const beside = Object.fromEntries(known.map((detail) => [detail.place, detail.message]));
        setErrors(beside);
        focusFirst(fields, beside);
      }
      if (text !== null || known.length === 0 || known.length < details.length) setRefusal(sentence(error));
    }
  };

  const asYaml = async () => {
    const { stringify } = await import("yaml");
    setText(stringify(toInput(fields, entries).input));
  };

  return (
    <Dialog title={`${input ? "Run again" : "Run"}: ${task}`} onClose={onClose} wide>
      <form onSubmit={submit} noValidate className="space-y-4">
        {fields.length === 0 && text === null && <p className="text-muted">This task takes no input.</p>}
        {text === null ? (
          fields.map((field) => (
            <FieldRow key={field.key} field={field} entry={entries[field.key] ?? null} error={errors[field.key]} onChange={(entry) => setEntries({ ...entries, [field.key]: entry })} />
          ))
        ) : (
          <div className="h-72 overflow-hidden rounded-md border border-line">
            <YamlEditor value={text} onChange={setText} label="Input as YAML" />
          </div>
        )}
        {refusal && (
          <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
            {refusal}
          </p>
        )}
        <footer className="flex items-center gap-2 pt-1">
          <Button type="submit" look="solid" disabled={busy}>
            <Play /> {busy ? "Starting…" : "Run"}
          </Button>
          <Button onClick={onClose}>Leave it</Button>
          {fields.length > 0 && (
            <Button look="ghost" className="ml-auto" onClick={() => (text === null ? void asYaml() : setText(null))}>
              {text === null ? "Write as YAML" : "Back to the form"}
            </Button>
          )}
        </footer>
      </form>
    </Dialog>
  );
}

function focusFirst(fields: Field[], errors: Record<string, string>) {
  const first = fields.find((field) => errors[field.key]);
  if (first) requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-field="${CSS.escape(first.key)}"]`)?.focus());
}

async function readYaml(text: string): Promise<Record<string, unknown> | string> {
  const { parse } = await import("yaml");
  try {
    const value: unknown = parse(text) ?? {};
    return typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : "The input must be a map of field names to values.";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function FieldRow({ field, entry, error, onChange }: { field: Field; entry: Entry; error: string | undefined; onChange: (entry: Entry) => void }) {
  const id = useId();
  const described = `${field.description ? `${id}-about ` : ""}${error ? `${id}-error` : ""}`.trim() || undefined;
  const shared = { id, "data-field": field.key, "aria-invalid": Boolean(error), "aria-describedby": described, "aria-required": field.required };
  const connection = !BUILT_IN.includes(field.type);
  return (
    <div>
      <label htmlFor={id} className="mb-1 flex items-baseline gap-2 font-medium">
        {field.label}
        {field.required && <span className="text-[12px] font-normal text-bad">required</span>}
        <span className="text-[12px] font-normal text-muted">
          {connection ? `connection: ${field.type}` : field.type}
          {field.multiple && ", several"}
          {field.secret && ", secret"}
        </span>
      </label>
      <Control field={field} entry={entry} onChange={onChange} shared={shared} />
      {field.description && (
        <p id={`${id}-about`} className="mt-1 text-[12px] text-muted">
          {field.description}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className="mt-1 text-[12px] font-medium text-bad">
          {error}
        </p>
      )}
    </div>
  );
}

type Shared = Record<string, unknown> & { id: string };

function Control({ field, entry, onChange, shared }: { field: Field; entry: Entry; onChange: (entry: Entry) => void; shared: Shared }) {
  const options = field.options?.map((option) => (typeof option === "string" ? option : JSON.stringify(option))) ?? null;
  if (field.multiple) return <Several options={field.allowCustom ? null : options} values={Array.isArray(entry) ? entry : []} onChange={onChange} shared={shared} />;
  const text = typeof entry === "string" ? entry : "";
  if (options && !field.allowCustom) {
    return (
      <Select {...shared} value={text} onChange={(event) => onChange(event.target.value)} className="w-full">
        <option value="">{field.required ? "Choose one" : "None"}</option>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </Select>
    );
  }
  if (field.type === "boolean") {
    return (
      <Select {...shared} value={entry === null ? "" : String(entry)} onChange={(event) => onChange(event.target.value === "" ? null : event.target.value === "true")}>
        {!field.required && <option value="">not set</option>}
        {field.required && entry === null && <option value="">Choose one</option>}
        <option value="true">true</option>
        <option value="false">false</option>
      </Select>
    );
  }
  if (field.type === "text") return <TextArea {...shared} value={text} onChange={(event) => onChange(event.target.value)} />;
  const kinds: Record<string, string> = { date: "date", datetime: "datetime-local" };
  const numeric = field.type === "integer" || field.type === "number";
  return (
    <>
      <Input
        {...shared}
        type={field.secret ? "password" : (kinds[field.type] ?? "text")}
        autoComplete={field.secret ? "new-password" : "off"}
        step={field.type === "datetime" ? 1 : undefined}
        inputMode={field.type === "integer" ? "numeric" : field.type === "number" ? "decimal" : undefined}
        list={options ? `${shared.id}-options` : undefined}
        value={text}
        onChange={(event) => onChange(event.target.value)}
        className={cn(numeric && "max-w-48 tabular-nums", kinds[field.type] && "max-w-60")}
      />
      {options && (
        <datalist id={`${shared.id}-options`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
    </>
  );
}

function Several({ options, values, onChange, shared }: { options: string[] | null; values: string[]; onChange: (values: string[]) => void; shared: Shared }) {
  if (options) {
    return (
      <div {...shared} role="group" tabIndex={-1} className="flex flex-wrap gap-x-4 gap-y-1.5">
        {options.map((option) => (
          <label key={option} className="flex items-center gap-1.5">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={values.includes(option)}
              onChange={(event) => onChange(event.target.checked ? [...values, option] : values.filter((value) => value !== option))}
            />
            {option}
          </label>
        ))}
      </div>
    );
  }
  return <TextArea {...shared} placeholder="One value a line" value={values.join("\n")} onChange={(event) => onChange(event.target.value === "" ? [] : event.target.value.split("\n"))} />;
}
