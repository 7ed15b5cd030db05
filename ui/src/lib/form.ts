/** A run form made from a task's input schema. The server has the last word; this says early what is plainly wrong. */
export interface Field {
  key: string;
  label: string;
  type: string;
  description: string | null;
  required: boolean;
  secret: boolean;
  multiple: boolean;
  allowCustom: boolean;
  options: unknown[] | null;
  defaultValue: unknown;
}

/** What stands in a field: a text, a tick (`null` is neither), or a list. */
export type Entry = string | boolean | null | string[];
export type Entries = Record<string, Entry>;

export const BUILT_IN = ["string", "text", "integer", "number", "boolean", "date", "datetime"];

/** How the server shows a secret that it will not show. */
export const MASK = "••••••";

export function fieldsOf(schema: unknown): Field[] {
  const fields = Object.entries((schema ?? {}) as Record<string, Record<string, unknown>>).map(([key, raw], index) => {
    const type = typeof raw.type === "string" ? raw.type : connectionType(raw.type);
    const field: Field = {
      key,
      label: typeof raw.name === "string" ? raw.name : key,
      type: type === "bool" ? "boolean" : type,
      description: typeof raw.description === "string" ? raw.description : null,
      required: raw.required === true,
      secret: raw.secret === true,
      multiple: raw.multiple === true,
      allowCustom: raw.allow_custom === true,
      options: Array.isArray(raw.options) ? raw.options : null,
      defaultValue: raw.default ?? null,
    };
    return { field, order: typeof raw.order === "number" ? raw.order : Number.MAX_SAFE_INTEGER, index };
  });
  fields.sort((a, b) => a.order - b.order || a.index - b.index);
  return fields.map(({ field }) => field);
}

function connectionType(type: unknown): string {
  return typeof type === "object" && type !== null && "connection" in type ? String(type.connection) : "string";
}

/** What a form shows at first: the input of an earlier job, else the defaults. A masked secret is typed again. */
export function firstEntries(fields: Field[], input?: Record<string, unknown>): Entries {
  return Object.fromEntries(fields.map((field) => [field.key, entryOf(field, input ? input[field.key] : field.defaultValue)]));
}

function entryOf(field: Field, value: unknown): Entry {
  if (field.secret && value === MASK) return field.multiple ? [] : "";
  if (field.multiple) return Array.isArray(value) ? value.map(text) : [];
  if (field.type === "boolean") return typeof value === "boolean" ? value : null;
  if (value === null || value === undefined) return "";
  return field.type === "datetime" && typeof value === "string" ? toLocal(value) : text(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The input to send; empty fields are left out, so that defaults apply. */
export function toInput(fields: Field[], entries: Entries): { input: Record<string, unknown>; errors: Record<string, string> } {
  const input: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const entry = entries[field.key] ?? null;
    const empty = entry === null || entry === "" || (Array.isArray(entry) && entry.length === 0);
    if (empty) {
      if (field.required && field.defaultValue === null) errors[field.key] = "is required";
      continue;
    }
    const values = (Array.isArray(entry) ? entry : [entry]).map((one) => convert(field, one));
    const wrong = values.find((value) => value instanceof Error);
    if (wrong instanceof Error) errors[field.key] = wrong.message;
    else input[field.key] = field.multiple ? values : values[0];
  }
  return { input, errors };
}

function convert(field: Field, entry: string | boolean): unknown {
  if (typeof entry === "boolean") return entry;
  const option = field.options?.find((option) => text(option) === entry);
  if (option !== undefined) return option;
  switch (field.type) {
    case "integer":
      return /^[+-]?\d+$/.test(entry.trim()) ? Number(entry) : new Error("must be a whole number");
    case "number":
      return entry.trim() !== "" && Number.isFinite(Number(entry)) ? Number(entry) : new Error("must be a number");
    case "boolean":
      return entry === "true" || entry === "false" ? entry === "true" : new Error("must be true or false");
    case "datetime":
      return Number.isNaN(Date.parse(entry)) ? new Error("must be a date and a time") : new Date(entry).toISOString();
    default:
      return entry;
  }
}

/** `2026-01-31T13:00` in local time, as the browser's own field wants it. */
export function toLocal(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}
