/** What an agent looks like: its picture from the gateway, or its first letter where that cannot be had. Decoration. */

import { signal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import type { Gateway } from "../gateway/gateway.ts";
import styles from "./avatar.module.css";

interface AvatarGiven {
  readonly agent: string;
  readonly size?: number;
}

export function Avatar({ agent, size = 28 }: AvatarGiven): JSX.Element {
  const { gateway, connection } = useGateway();
  const picture = pictureOf(gateway, agent);
  const isOnline = connection.value.phase === "online";
  useEffect(() => {
    if (isOnline) load(gateway, agent, picture);
  }, [gateway, agent, isOnline]);
  const box = { width: `${size}px`, height: `${size}px`, fontSize: `${size * 0.45}px` };
  const { address } = picture.value;
  if (address !== null) return <img class={styles["avatar"]} src={address} alt="" style={box} />;
  return (
    <span class={styles["avatar"]} aria-hidden="true" style={box} data-shade={shadeOf(agent)}>
      {[...agent.trim()][0]?.toUpperCase() ?? ""}
    </span>
  );
}

interface Picture {
  readonly address: string | null;
  readonly isAsked: boolean;
}

/** Made once for each gateway and agent, and kept as long as the gateway is open. */
const pictures = new WeakMap<Gateway, Map<string, Signal<Picture>>>();

function pictureOf(gateway: Gateway, agent: string): Signal<Picture> {
  const known = pictures.get(gateway) ?? new Map<string, Signal<Picture>>();
  pictures.set(gateway, known);
  const picture = known.get(agent) ?? signal<Picture>({ address: null, isAsked: false });
  known.set(agent, picture);
  return picture;
}

/** A made picture is SVG: an `img` shows it without running anything in it. */
function load(gateway: Gateway, agent: string, picture: Signal<Picture>): void {
  if (agent === "" || picture.peek().isAsked) return;
  picture.value = { ...picture.peek(), isAsked: true };
  gateway.http.blob(`/api/agents/${encodeURIComponent(agent)}/avatar`).then(
    (blob) => {
      if (blob.type.startsWith("image/")) picture.value = { address: URL.createObjectURL(blob), isAsked: true };
    },
    () => void (picture.value = { address: null, isAsked: false }),
  );
}

const SHADES = 6;

const shadeOf = (name: string): number =>
  [...name].reduce((sum, sign) => (sum * 31 + (sign.codePointAt(0) ?? 0)) >>> 0, 7) % SHADES;
