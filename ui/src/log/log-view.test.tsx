import { render } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { marked } from "./log-view";

describe("hits in a line", () => {
  it("are marked as the server finds them", () => {
    const marks = (text: string, needle: string) => {
      const { container } = render(<p>{marked(text, needle)}</p>);
      expect(container.textContent).toBe(text);
      return [...container.querySelectorAll("mark")].map((mark) => mark.textContent);
    };
    expect(marks("Disk full, DISK gone", "disk")).toEqual(["Disk", "DISK"]);
    expect(marks("Disk full, disk gone", "Disk")).toEqual(["Disk"]);
    expect(marks("nothing", "disk")).toEqual([]);
  });
});
