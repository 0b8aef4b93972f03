/** How the page looks and behaves, on this device. */

import { Monitor, Moon, Sun } from "lucide";
import type { JSX } from "preact";
import {
  DENSITIES,
  density,
  languageChoice,
  SEND_KEYS,
  sendKey,
  showsUsage,
  theme,
  THEMES,
} from "../app/preferences.ts";
import { keysForPeople } from "../app/commands.ts";
import { LANGUAGES, t, type Language } from "../i18n/language.ts";
import { Select, Switch } from "../ui/field.tsx";
import { Icon } from "../ui/icon.tsx";
import { Choice } from "./choice.tsx";

const PICTURES = { system: Monitor, light: Sun, dark: Moon } as const;

export function Appearance(): JSX.Element {
  const languages = Object.keys(LANGUAGES) as Language[];
  return (
    <>
      <Choice
        label={t("settings.theme")}
        value={theme.value}
        options={THEMES.map((value) => ({
          ...{ value, label: t(`settings.theme.${value}`) },
          picture: <Icon of={PICTURES[value]} size={22} />,
        }))}
        onChoose={(value) => (theme.value = value)}
      />
      <Choice
        label={t("settings.density")}
        value={density.value}
        options={DENSITIES.map((value) => ({ value, label: t(`settings.density.${value}`) }))}
        onChoose={(value) => (density.value = value)}
      />
      <Select
        label={t("settings.language")}
        value={languageChoice.value}
        options={[
          { value: "auto", label: t("settings.language.auto") },
          ...languages.map((value) => ({ value, label: LANGUAGES[value] })),
        ]}
        onChoose={(value) => (languageChoice.value = value)}
      />
      <Choice
        label={t("settings.sendKey")}
        value={sendKey.value}
        options={SEND_KEYS.map((value) => ({
          ...{ value, label: t("settings.sendWith", { keys: keysForPeople(value.replace("-", "+")) }) },
        }))}
        onChoose={(value) => (sendKey.value = value)}
      />
      <Switch
        label={t("settings.usage")}
        hint={t("settings.usageHint")}
        isOn={showsUsage.value === "on"}
        onSwitch={(isOn) => (showsUsage.value = isOn ? "on" : "off")}
      />
    </>
  );
}
