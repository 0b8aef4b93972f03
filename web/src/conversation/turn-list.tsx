/** What was said, as a virtual list: only the turns around what is seen are there. It keeps to its end while one is at it. */

import { computed, useComputed, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { ArrowDown } from "lucide";
import type { JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { toastError } from "../app/toasts.tsx";
import type { Outgoing } from "../gateway/outbox.ts";
import { t } from "../i18n/language.ts";
import type { Transcript, TurnRow } from "../state/transcript.ts";
import { isOver } from "../state/turns.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { useConversation } from "./context.ts";
import { EndKeeper } from "./end-keeper.ts";
import { guessedHeight } from "./heights.ts";
import type { ChatMemory } from "./memory.ts";
import { OutgoingMessage } from "./outgoing.tsx";
import { TurnView } from "./turn.tsx";
import { useVirtualizer } from "./virtual.ts";
import styles from "./turn-list.module.css";

/** Above the first turn, where earlier ones are loaded. */
const TOP = 56;
const BOTTOM = 24;
/** When there are no more turns above what is seen, the ones before them are asked for. */
const LOAD_AHEAD = 6;
/** Rows that are drawn beyond the edges, unless they are high. */
const OVERSCAN = 4;
/** Further than any conversation reaches: the browser stops at the end. */
const END = 1e9;
/** As wide as the column gets, for guesses. */
const MOST_WIDTH = 736;

type Item =
  | { readonly key: string; readonly row: TurnRow; readonly before: TurnRow | null }
  | { readonly key: string; readonly message: Outgoing };

export function TurnList({ transcript }: { transcript: Transcript }): JSX.Element {
  const { memory } = useConversation();
  const scroller = useRef<HTMLDivElement>(null);
  const items = useItems(transcript).value;
  const [width, setWidth] = useState(MOST_WIDTH);
  const [keeper] = useState(() => new EndKeeper(memory.place === null));
  const isFollowing = useComputed(() => keeper.following.value.isFollowing).value;

  const keyOf = useCallback((index: number) => items[index]?.key ?? index, [items]);
  const guess = useCallback(
    (index: number) => {
      const item = items[index];
      return item !== undefined && "row" in item ? guessedHeight(item.row.turn.peek(), width) : 96;
    },
    [items, width],
  );
  // Before those of the virtualizer, which begin with a movement.
  useLayoutEffect(() => {
    const element = scroller.current;
    return element === null ? undefined : keeper.attach(element, (seen) => setWidth(Math.min(MOST_WIDTH, seen)));
  }, [keeper]);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    getItemKey: keyOf,
    estimateSize: guess,
    overscan: OVERSCAN,
    paddingStart: TOP,
    paddingEnd: BOTTOM,
    anchorTo: "end", // the turn in sight stays where it is when others come before it
    scrollEndThreshold: isFollowing ? Number.POSITIVE_INFINITY : -1,
    initialOffset: () => placeOf(items, memory, guess),
    initialMeasurementsCache: memory.heights,
    scrollToFn: (offset, { adjustments = 0 }) => keeper.move(offset + adjustments),
  });
  const drawn = virtualizer.getVirtualItems();
  const first = drawn[0];

  useLayoutEffect(() => keeper.pin());
  useLoadingOlder(transcript, virtualizer.range?.startIndex ?? null);
  useEffect(() => {
    return () => {
      memory.heights = virtualizer.takeSnapshot();
      const top = virtualizer.getVirtualItemForOffset(virtualizer.scrollOffset ?? 0);
      const isAtEnd = keeper.following.peek().isFollowing || top === undefined;
      memory.place = isAtEnd ? null : { id: String(top.key), offset: (virtualizer.scrollOffset ?? 0) - top.start };
    };
  }, [keeper, memory, virtualizer]);

  useMoments(transcript, keeper);

  const hasMore = transcript.hasMore.value;
  return (
    <div class={styles["region"]}>
      <div
        ref={scroller}
        class={styles["scroller"]}
        id="messages"
        tabIndex={0}
        role="region"
        aria-label={t("conversation.said")}
        onClickCapture={({ target }) => {
          if (target instanceof Element && target.closest("[aria-expanded]") !== null) keeper.hold();
        }}
        onKeyDown={(event) => {
          if (event.target !== event.currentTarget || event.shiftKey) return;
          if (event.key === "Home") keeper.toStart();
          else if (event.key === "End") keeper.toEnd();
          else return;
          event.preventDefault();
        }}
      >
        <div class={styles["all"]} style={{ height: `${virtualizer.getTotalSize()}px` }}>
          {hasMore && <Earlier transcript={transcript} />}
          <div
            class={styles["drawn"]}
            role="feed"
            aria-busy={transcript.isLoadingOlder.value}
            aria-label={t("conversation.said")}
            style={{ transform: `translateY(${first?.start ?? 0}px)` }}
          >
            {drawn.map(({ index }) => {
              const item = items[index];
              if (item === undefined) return null;
              return (
                <article
                  key={item.key}
                  ref={virtualizer.measureElement}
                  data-index={index}
                  class={styles["row"]}
                  aria-posinset={index + 1}
                  aria-setsize={hasMore ? -1 : items.length}
                  aria-labelledby={`turn-${item.key}`}
                >
                  {"row" in item ? (
                    <TurnView row={item.row} before={item.before} isLast={index === items.length - 1} />
                  ) : (
                    <OutgoingMessage message={item.message} />
                  )}
                </article>
              );
            })}
          </div>
        </div>
      </div>
      <ToLatest keeper={keeper} />
    </div>
  );
}

/** The same objects as long as they say the same, so that rows that did not change are not drawn anew. */
function useItems(transcript: Transcript): ReadonlySignal<readonly Item[]> {
  return useMemo(() => {
    let known = new Map<TurnRow, Item>();
    const turns = computed(() => {
      const next = new Map<TurnRow, Item>();
      let before: TurnRow | null = null;
      for (const row of transcript.rows.value) {
        const item = known.get(row);
        const isSame = item !== undefined && "row" in item && item.before === before;
        next.set(row, isSame ? item : { key: row.id, row, before });
        before = row;
      }
      known = next;
      return [...next.values()];
    });
    return computed(() => {
      const outgoing = transcript.outgoing.value.map((message): Item => ({ key: `out-${message.id}`, message }));
      return outgoing.length === 0 ? turns.value : [...turns.value, ...outgoing];
    });
  }, [transcript]);
}

/** Where to begin: at the end, or where the chat was left. */
function placeOf(items: readonly Item[], memory: ChatMemory, guess: (index: number) => number): number {
  const { place, heights } = memory;
  const at = place === null ? -1 : items.findIndex(({ key }) => key === place.id);
  if (place === null || at < 0) return END;
  const measured = new Map(heights.map(({ key, size }) => [key, size]));
  let start = TOP;
  for (let index = 0; index < at; index++) start += measured.get(items[index]?.key ?? "") ?? guess(index);
  return start + place.offset;
}

/** What is before the first turn is read when one comes near it; after a failure somebody has to ask. */
function useLoadingOlder(transcript: Transcript, firstSeen: number | null): void {
  const hasFailed = useRef(false);
  const isNear = firstSeen !== null && firstSeen <= LOAD_AHEAD;
  const wants = isNear && transcript.hasMore.value && !transcript.isLoadingOlder.value;
  useEffect(() => {
    if (!isNear) hasFailed.current = false;
    if (!wants || hasFailed.current) return;
    transcript.loadOlder().catch((error: unknown) => {
      hasFailed.current = true;
      toastError(error);
    });
  }, [transcript, isNear, wants]);
}

/** Sending brings one to the end; answers that end elsewhere are counted. */
function useMoments(transcript: Transcript, keeper: EndKeeper): void {
  const last = useRef<string | null>(transcript.outgoing.peek().at(-1)?.id ?? null);
  useSignalEffect(() => {
    const id = transcript.outgoing.value.at(-1)?.id ?? null;
    if (id !== null && id !== last.current) keeper.tell({ kind: "toEnd" });
    last.current = id ?? last.current;
  });
  const running = useRef(new Set<string>());
  useSignalEffect(() => {
    for (const row of transcript.rows.value.slice(-LAST_TURNS)) {
      const turn = row.turn.value;
      if (!isOver(turn)) running.current.add(turn.id);
      else if (running.current.delete(turn.id)) keeper.tell({ kind: "answered" });
    }
  });
}

/** Among these are all that are not over. */
const LAST_TURNS = 20;

function Earlier({ transcript }: { transcript: Transcript }): JSX.Element {
  const isLoading = transcript.isLoadingOlder.value;
  return (
    <div class={styles["earlier"]}>
      <Button tone="quiet" isBusy={isLoading} onClick={() => void transcript.loadOlder().catch(toastError)}>
        {isLoading ? t("conversation.loadingEarlier") : t("conversation.earlier")}
      </Button>
    </div>
  );
}

function ToLatest({ keeper }: { keeper: EndKeeper }): JSX.Element | null {
  const { isFar, missed } = keeper.following.value;
  if (!isFar && missed === 0) return null;
  return (
    <button type="button" class={styles["latest"]} onClick={() => keeper.toEnd()}>
      <Icon of={ArrowDown} size={16} />
      {missed === 0 ? t("conversation.toLatest") : t("conversation.newAnswers", { count: missed })}
    </button>
  );
}
