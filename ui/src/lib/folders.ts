/** Tasks as a tree of folders. */
import type { TaskItem } from "@/api/client";

export interface Folder {
  name: string;
  path: string;
  folders: Folder[];
  tasks: TaskItem[];
}

export function folderTree(tasks: TaskItem[], manyWorkspaces: boolean): Folder {
  const root: Folder = { name: "", path: "", folders: [], tasks: [] };
  for (const task of tasks) {
    const parts = [...(manyWorkspaces ? [task.workspace] : []), ...(task.folder?.split("/").filter(Boolean) ?? [])];
    let folder = root;
    for (const part of parts) {
      let next = folder.folders.find((one) => one.name === part);
      if (!next) {
        next = { name: part, path: folder.path ? `${folder.path}/${part}` : part, folders: [], tasks: [] };
        folder.folders.push(next);
      }
      folder = next;
    }
    folder.tasks.push(task);
  }
  sort(root);
  return root;
}

function sort(folder: Folder) {
  folder.folders.sort((a, b) => a.name.localeCompare(b.name));
  folder.tasks.sort((a, b) => a.name.localeCompare(b.name));
  folder.folders.forEach(sort);
}

/** Whether a text stands in a name, its folder or its description; each word by itself, in any order. */
export function finds(task: TaskItem, text: string): boolean {
  const all = `${task.workspace}/${task.folder ?? ""}/${task.name} ${task.description ?? ""}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
