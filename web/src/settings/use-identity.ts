import { useEffect, useState } from "preact/hooks";
import { useClient } from "../app/context.ts";
import { GatewayError } from "../gateway/errors.ts";

export type Identity =
  | { readonly state: "reading" | "unknown" | "unreadable" }
  /** `key`: in base64, as in the gateway's link. */
  | { readonly state: "known"; readonly key: string };

/** The identity key that this browser knows of a gateway. */
export function useIdentity(url: string | null): Identity {
  const client = useClient();
  const [identity, setIdentity] = useState<Identity>({ state: "reading" });
  const known = client.gateways.value; // a newer link may have brought the key
  useEffect(() => {
    let isCurrent = true;
    const show = (read: Identity): void => {
      if (isCurrent) setIdentity(read);
    };
    if (url !== null) {
      client.identityOf(url).then(
        (key) => show(key === null ? { state: "unknown" } : { state: "known", key }),
        (error: unknown) => {
          if (!(error instanceof GatewayError)) throw error;
          show({ state: "unreadable" });
        },
      );
    }
    return () => void (isCurrent = false);
  }, [client, url, known]);
  return identity;
}
