import { describe, expect, it } from "vitest";
import { AT_END, followed, type FollowEvent, type Following } from "../../src/conversation/follow.ts";

const scrolled = (distance: number, moved: number, isByPerson = true): FollowEvent => ({
  ...{ kind: "scrolled", distance, moved, isByPerson },
});

function after(...events: FollowEvent[]): Following {
  return events.reduce(followed, AT_END);
}

describe("following the end", () => {
  it("lets go of whoever moves up, by however little", () => {
    expect(after(scrolled(3, -3))).toMatchObject({ isFollowing: false });
    expect(after(scrolled(400, -400))).toMatchObject({ isFollowing: false, isFar: true });
  });

  it("is not let go of when an answer grows, or the list corrects itself", () => {
    expect(after(scrolled(300, 0, false), scrolled(40, -20, false))).toEqual(AT_END);
  });

  it("pulls nobody back", () => {
    const away = after(scrolled(30, -30));
    expect(followed(away, scrolled(500, 0, false))).toMatchObject({ isFollowing: false });
    expect(followed(away, scrolled(20, -10))).toMatchObject({ isFollowing: false });
  });

  it("follows again whoever comes near the end by themselves", () => {
    expect(after(scrolled(400, -400), scrolled(200, 200))).toMatchObject({ isFollowing: false });
    expect(after(scrolled(400, -400), scrolled(12, 388))).toEqual(AT_END);
    expect(after(scrolled(400, -400), scrolled(0, 0, false))).toEqual(AT_END);
  });

  it("offers a way back only from afar", () => {
    const near = after(scrolled(60, -60));
    expect(near.isFar).toBe(false);
    expect(followed(near, scrolled(900, 0, false)).isFar).toBe(true);
  });

  it("counts answers that end while one is elsewhere, and forgets them at the end", () => {
    const away = after({ kind: "answered" }, scrolled(90, -90), { kind: "answered" }, { kind: "answered" });
    expect(away.missed).toBe(2);
    expect(followed(away, { kind: "toEnd" })).toEqual(AT_END);
  });

  it("stays where something is unfolded", () => {
    const held = after({ kind: "elsewhere" }, scrolled(300, 0, false));
    expect(held).toMatchObject({ isFollowing: false, isFar: true });
    expect(followed({ ...held, missed: 1 }, { kind: "elsewhere" }).missed).toBe(1);
  });
});
