import { useEffect, useMemo } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { Loader } from "./loader.ts";

const POLL_MS = 3_000;

/**
 * Read now, with each new connection, and when the gateway tells that something has ended; every few seconds as long as
 * `isLive` says that it goes on. `key`: what is read; another one begins anew.
 */
export function useLoaded<T>(
  key: string,
  read: () => Promise<T>,
  isLive: (value: T) => boolean = () => false,
): Loader<T> {
  const { gateway, hello } = useGateway();
  const loader = useMemo(() => new Loader(read), [gateway, key]);
  const connection = hello.value;
  useEffect(() => void loader.load(), [loader, connection]);
  useEffect(() => gateway.notifications.arrivals.add(() => void loader.load()), [gateway, loader]);
  const goesOn = loader.value.value !== null && isLive(loader.value.value);
  useEffect(() => {
    if (!goesOn) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void loader.load();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [loader, goesOn]);
  return loader;
}
