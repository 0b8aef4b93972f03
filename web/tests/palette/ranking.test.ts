import { describe, expect, it } from "vitest";
import { best, fit } from "../../src/palette/ranking.ts";

describe("what is typed", () => {
  it("finds first what begins with it, then words, parts, and letters in their order", () => {
    const names = ["Do not archive", "Search", "Archive", "Rename a chart", "xarchx", "Apricot"];
    expect(best(names, (name) => name, "arch", 9)).toEqual(["Archive", "Do not archive", "Search", "xarchx"]);
    expect(best(names, (name) => name, "apt", 9)).toEqual(["Apricot"]);
    expect(best(names, (name) => name, "", 2)).toEqual(["Do not archive", "Search"]);
  });

  it("may hold any sign", () => {
    for (const sign of ["(", "[", "\\", "*", "+", "?", "$", "^", "|"])
      expect(fit(`a ${sign}b`, sign)).toBeGreaterThan(0);
    expect(fit("archive", "z")).toBe(0);
  });
});
