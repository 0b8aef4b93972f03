/** How the page looks and behaves, on this device. */

import type { JSX } from "preact";
import { keysForPeople } from "../app/commands.ts";
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
import { LANGUAGES, preferred, t, type Language } from "../i18n/language.ts";
import { Select, Switch } from "../ui/field.tsx";
import { Choice } from "./choice.tsx";
import { DensityPicture, ThemePicture } from "./pictures.tsx";
import styles from "./settings.module.css";

export function Appearance(): JSX.Element {
  const languages = Object.keys(LANGUAGES) as Language[];
  const ofBrowser = LANGUAGES[preferred(navigator.languages)];
  return (
    <>
      <Choice
        label={t("settings.theme")}
        value={theme.value}
        options={THEMES.map((value) => ({
          ...{ value, label: t(`settings.theme.${value}`), picture: <ThemePicture of={value} /> },
        }))}
        onChoose={(value) => (theme.value = value)}
      />
      <Choice
        label={t("settings.density")}
        value={density.value}
        options={DENSITIES.map((value) => ({
          ...{ value, label: t(`settings.density.${value}`), picture: <DensityPicture of={value} /> },
        }))}
        onChoose={(value) => (density.value = value)}
      />
      <Select
        label={t("settings.language")}
        value={languageChoice.value}
        options={[
          { value: "auto", label: t("settings.language.auto", { name: ofBrowser }) },
          ...languages.map((value) => ({ value, label: LANGUAGES[value] })),
        ]}
        onChoose={(value) => (languageChoice.value = value)}
      />
      <Choice
        label={t("settings.sendKey")}
        hint={t("settings.sendKey.hint")}
        value={sendKey.value}
        options={SEND_KEYS.map((value) => ({ value, label: keysForPeople(value.replace("-", "+")) }))}
        onChoose={(value) => (sendKey.value = value)}
      />
      <Switch
        label={t("settings.usage")}
        hint={t("settings.usage.hint")}
        isOn={showsUsage.value === "on"}
        onSwitch={(isOn) => (showsUsage.value = isOn ? "on" : "off")}
      />
      <p class={styles["quiet"]}>{t("settings.onlyHere")}</p>
    </>
  );
}
