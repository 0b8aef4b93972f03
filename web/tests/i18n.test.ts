import { describe, expect, it } from "vitest";
import { translator } from "../src/i18n/catalogue.ts";
import { de } from "../src/i18n/de.ts";
import { en } from "../src/i18n/en.ts";
import { language, preferred, speak, t, tOf } from "../src/i18n/language.ts";
import { ERROR_CODES } from "../src/gateway/errors.ts";

const forms = (entry: string | object): string[] =>
  typeof entry === "string" ? [entry] : (Object.values(entry) as string[]);
const holes = (entry: string | object): string[] =>
  [...new Set(forms(entry).flatMap((form) => [...form.matchAll(/\{\w+\}/g)].map(([hole]) => hole)))].sort();

describe("the catalogues", () => {
  it("have the same keys, with the same to fill in, and nothing empty", () => {
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect([key, holes(de[key])]).toEqual([key, holes(en[key])]);
      for (const form of [...forms(en[key]), ...forms(de[key])]) expect(form.trim()).not.toBe("");
    }
  });

  it("have a sentence for every error", () => {
    for (const code of ERROR_CODES) expect(en).toHaveProperty([`error.${code}`]);
  });
});

describe("a sentence", () => {
  it("has the form of its number, written as the language does", () => {
    const [english, german] = [translator("en", en), translator("de", de)];
    expect(english("approval.waiting", { count: 1 })).toBe("One thing waits for your answer");
    expect(english("approval.waiting", { count: 1234 })).toBe("1,234 things wait for your answer");
    expect(german("approval.waiting", { count: 1234 })).toBe("1.234 Sachen warten auf deine Antwort");
  });

  it("is in the language that is spoken, and there is one for codes that nobody knows", async () => {
    await speak("de");
    expect([language.value, t("composer.send")]).toEqual(["de", "Senden"]);
    await speak("en");
    expect(t("composer.send")).toBe("Send");
    expect(tOf("reason", "timeout", "reason.other")).toBe(en["reason.timeout"]);
    expect(tOf("reason", "boredom", "reason.other")).toBe(en["reason.other"]);
    expect(tOf("approval", "waiting", "reason.other")).toBe(en["reason.other"]);
  });

  it("is in the first language that its reader and we both know", () => {
    expect(preferred(["fr-FR", "de-AT", "en"])).toBe("de");
    expect(preferred(["den"])).toBe("en");
    expect(preferred([])).toBe("en");
  });
});
