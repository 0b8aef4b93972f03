/** Keeps a scrolling element at its end for as long as one is there, and notices who moves it. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { AT_END, followed, type FollowEvent, type Following } from "./follow.ts";

/** It is resized as long as less than this goes by between two steps, in ms. */
const RESIZED_MS = 100;

interface Read {
  readonly words: Element;
  readonly offset: number;
}

export class EndKeeper {
  readonly following: ReadonlySignal<Following>;

  readonly #following = signal(AT_END);
  #element: HTMLElement | null = null;
  /** Where it was seen last, and where its end was. */
  #top = 0;
  #end = 0;
  /** What was read when it came to rest, and how far below the upper edge that was. */
  #read: Read | null = null;
  #rewrapping: ReturnType<typeof setTimeout> | undefined;

  /** `isAtEnd`: where one begins. */
  constructor(isAtEnd: boolean) {
    this.following = this.#following;
    if (!isAtEnd) this.tell({ kind: "elsewhere" });
  }

  tell(event: FollowEvent): void {
    this.#following.value = followed(this.#following.peek(), event);
  }

  /** Returns what ends it. */
  attach(element: HTMLElement, whenResized: (width: number) => void): () => void {
    this.#element = element;
    const whenScrolled = (): void => this.#look();
    // Before the place changes: an answer that grows meanwhile shall not be faster.
    const whenWheeled = ({ deltaY, target }: WheelEvent): void => {
      if (deltaY >= 0 || element.scrollTop <= 0 || isScrolledInside(target, element)) return;
      const distance = element.scrollHeight - element.clientHeight - element.scrollTop - deltaY;
      this.tell({ kind: "scrolled", distance, moved: deltaY, isByPerson: true });
    };
    const whenStill = (): void => {
      if (this.#rewrapping !== undefined) return;
      this.#read = this.#following.peek().isFollowing ? null : wordsAtTop(element);
    };
    let width = element.clientWidth;
    const sizes = new ResizeObserver(() => {
      if (element.clientWidth !== width) this.#rewrap(element);
      width = element.clientWidth;
      whenResized(width);
      this.pin();
    });
    element.addEventListener("scroll", whenScrolled, { passive: true });
    element.addEventListener("scrollend", whenStill, { passive: true });
    element.addEventListener("wheel", whenWheeled, { passive: true });
    sizes.observe(element);
    return () => {
      this.#element = null;
      element.removeEventListener("scroll", whenScrolled);
      element.removeEventListener("scrollend", whenStill);
      element.removeEventListener("wheel", whenWheeled);
      clearTimeout(this.#rewrapping);
      this.#rewrapping = undefined;
      this.#read = null;
      sizes.disconnect();
    };
  }

  /** To the end, if one keeps to it. */
  pin(): void {
    this.#look();
    const element = this.#element;
    if (element === null || !this.#following.peek().isFollowing) return;
    if (this.#end - this.#top >= 1) this.#write(element, this.#end);
  }

  /** At once: while one comes nearer step by step, rows are drawn that are higher than they were guessed to be. */
  toStart(): void {
    this.tell({ kind: "elsewhere" });
    if (this.#element !== null) this.#write(this.#element, 0);
  }

  toEnd(): void {
    this.tell({ kind: "toEnd" });
    this.pin();
  }

  /** Something is unfolded: it stays in sight, and its end may be out of it. */
  hold(): void {
    this.tell({ kind: "elsewhere" });
    const isStill = (): void => {
      this.#end = -1; // if nothing has grown, one is at the end as before
      this.#look();
    };
    requestAnimationFrame(() => requestAnimationFrame(isStill));
  }

  /** Of the list itself: what is seen stays, though what is above has another height. */
  move(top: number): void {
    const wasFollowing = this.#following.peek().isFollowing;
    this.#look();
    const hasJustLeft = wasFollowing && !this.#following.peek().isFollowing; // the list does not know yet
    if (this.#element !== null && !hasJustLeft) this.#write(this.#element, top);
  }

  /** Lines are as wide as never before: lay out all of them once, and go back to what was read. */
  #rewrap(element: HTMLElement): void {
    clearTimeout(this.#rewrapping);
    this.#rewrapping = setTimeout(() => {
      element.dataset["rewraps"] = "";
      requestAnimationFrame(() =>
        requestAnimationFrame(() => {
          delete element.dataset["rewraps"];
          this.#rewrapping = undefined;
          if (this.#read?.words.isConnected !== true || this.#following.peek().isFollowing) return;
          const moved = offsetIn(element, this.#read.words) - this.#read.offset;
          if (Math.abs(moved) >= 1) this.#write(element, element.scrollTop + moved);
        }),
      );
    }, RESIZED_MS);
  }

  #write(element: HTMLElement, top: number): void {
    element.scrollTop = top;
    this.#top = element.scrollTop;
    this.#end = element.scrollHeight - element.clientHeight;
  }

  /** What moved without us was moved by a person, unless it was what is seen that became shorter. */
  #look(): void {
    const element = this.#element;
    if (element === null) return;
    const { scrollTop: top } = element;
    const end = element.scrollHeight - element.clientHeight;
    const moved = top - this.#top;
    const hasChanged = end !== this.#end;
    const isPushed = end < this.#end && end - top < 1;
    this.#top = top;
    this.#end = end;
    const isByPerson = Math.abs(moved) >= 1 && !isPushed;
    if (Math.abs(moved) >= 1 || hasChanged) this.tell({ kind: "scrolled", distance: end - top, moved, isByPerson });
  }
}

/** Where eyes rest, in px below the upper edge; between two blocks there may be nothing. */
const EYES = [64, 80, 96, 112];

function wordsAtTop(list: Element): Read | null {
  const { left, width, top } = list.getBoundingClientRect();
  for (const below of EYES) {
    const words = document.elementFromPoint(left + width / 2, top + below);
    if (words !== null && list.contains(words) && words.querySelector("p, li, pre, tr, div") === null) {
      return { words, offset: offsetIn(list, words) };
    }
  }
  return null;
}

const offsetIn = (list: Element, words: Element): number =>
  words.getBoundingClientRect().top - list.getBoundingClientRect().top;

/** Something in a turn, such as the output of a tool, takes the movement. */
function isScrolledInside(target: EventTarget | null, list: Element): boolean {
  for (let at = target instanceof Element ? target : null; at !== null && at !== list; at = at.parentElement) {
    if (at.scrollTop > 0) return true;
  }
  return false;
}
