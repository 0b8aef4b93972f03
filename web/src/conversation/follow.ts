/**
 * Whether the list keeps to its end while answers grow, pure. It does for whoever is there, and lets go of whoever moves
 * away from it, by however little: nobody is pulled back.
 */

export interface Following {
  readonly isFollowing: boolean;
  /** So far from the end that a way back is of use. */
  readonly isFar: boolean;
  /** Answers that came to their end while one was elsewhere. */
  readonly missed: number;
}

export type FollowEvent =
  /** The place or the end is another one. `distance`: pixels left to the end; `moved`: by how many pixels, down is positive. */
  | { readonly kind: "scrolled"; readonly distance: number; readonly moved: number; readonly isByPerson: boolean }
  /** An answer came to its end. */
  | { readonly kind: "answered" }
  /** Somebody wants to be at the end: they sent a message, or asked for it. */
  | { readonly kind: "toEnd" }
  /** Somebody looks at something that is not to move: a place that was gone back to, or what they just unfolded. */
  | { readonly kind: "elsewhere" };

export const AT_END: Following = { isFollowing: true, isFar: false, missed: 0 };

/** So near counts as there: fractions of pixels, and fingers that stop a little early. */
const NEAR = 24;
const FAR = 160;

export function followed(now: Following, event: FollowEvent): Following {
  switch (event.kind) {
    case "scrolled": {
      const { distance, moved, isByPerson } = event;
      if (distance <= 1) return AT_END;
      const isBack = isByPerson && moved >= 1 && distance <= NEAR;
      if (isBack) return AT_END;
      const next = isByPerson && moved < 0 ? away(now) : now;
      return next.isFollowing ? next : { ...next, isFar: distance > FAR };
    }
    case "answered":
      return now.isFollowing ? now : { ...now, missed: now.missed + 1 };
    case "toEnd":
      return AT_END;
    case "elsewhere":
      return away(now);
  }
}

const away = (now: Following): Following => (now.isFollowing ? { isFollowing: false, isFar: false, missed: 0 } : now);
