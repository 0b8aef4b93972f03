/** How this browser installs pages, where it has no way for the page to ask. `settings.install.HINT` says it. */

interface Browser {
  readonly userAgent: string;
  readonly maxTouchPoints: number;
}

export function installHint({ userAgent, maxTouchPoints }: Browser): "ios" | "mac" | "firefox" | "menu" {
  const isMac = userAgent.includes("Macintosh");
  if (/iPhone|iPad|iPod/.test(userAgent) || (isMac && maxTouchPoints > 1)) return "ios"; // iPads call themselves Macs
  if (userAgent.includes("Firefox/")) return "firefox";
  if (isMac && userAgent.includes("Safari/") && !/Chrom(e|ium)\//.test(userAgent)) return "mac";
  return "menu";
}
