/**
 * Stands in for the package `entities` where markdown-it asks for it: all 2,231 names of HTML are 17 kB of the first load, and these are the
 * ones that are written. Others stay as they are. The names are those of https://html.spec.whatwg.org/multipage/named-characters.html
 */

const NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  (
    "amp& lt< gt> quot\" apos' nbsp\u00a0 copy© reg® trade™ hellip… mdash— ndash– lsquo‘ rsquo’ ldquo“ rdquo” laquo« raquo» bull• middot· " +
    "deg° plusmn± times× divide÷ frac12½ frac14¼ frac34¾ sup1¹ sup2² sup3³ micro\u00b5 para¶ sect§ dagger† permil‰ prime′ infin∞ asymp≈ ne≠ le≤ ge≥ " +
    "sum∑ prod∏ radic√ int∫ part∂ nabla∇ isin∈ notin∉ cap∩ cup∪ sub⊂ sup⊃ forall∀ exist∃ empty∅ and∧ or∨ not¬ minus− larr← uarr↑ rarr→ darr↓ harr↔ " +
    "lArr⇐ rArr⇒ hArr⇔ check✓ cross✗ star☆ hearts♥ alphaα betaβ gammaγ deltaδ epsilonε thetaθ lambdaλ muμ piπ rhoρ sigmaσ tauτ phiφ psiψ omegaω " +
    "DeltaΔ PiΠ SigmaΣ PhiΦ OmegaΩ euro€ pound£ yen¥ cent¢ iexcl¡ iquest¿ auml\u00e4 ouml\u00f6 uuml\u00fc Auml\u00c4 Ouml\u00d6 Uuml\u00dc szlig\u00df eacute\u00e9 egrave\u00e8 agrave\u00e0 aacute\u00e1 ccedil\u00e7 ntilde\u00f1 " +
    "oacute\u00f3 iacute\u00ed uacute\u00fa aring\u00e5 oslash\u00f8 aelig\u00e6 ensp\u2002 emsp\u2003 thinsp\u2009 zwj\u200d zwnj\u200c shy\u00ad colon: sol/ bsol\\ lpar( rpar) lbrack[ rbrack] ast* lowbar_ " +
    "num# grave` tilde˜ vert| dollar$ percnt% excl! quest? equals= plus+ comma, period. semi;"
  )
    .split(" ")
    .map((entry) => {
      const name = /^[A-Za-z]+\d*/.exec(entry)?.[0] ?? "";
      return [name, entry.slice(name.length)];
    }),
);

/** `&name;` as its sign; what is no name that is known here comes back as it is. */
export function decodeHTMLStrict(text: string): string {
  return text.replace(/&([A-Za-z]+\d*);/g, (whole, name: string) =>
    Object.hasOwn(NAMES, name) ? (NAMES[name] ?? whole) : whole,
  );
}
