/** What the browser's tab says. */

import { useEffect } from "preact/hooks";
import { t } from "../i18n/language.ts";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? t("app.name") : `${title} · ${t("app.name")}`;
  }, [title]);
}
