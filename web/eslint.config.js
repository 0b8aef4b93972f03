import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules", "scripts", "public", "eslint.config.js"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "no-eval": "error",
      "no-console": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      // Places in a session are counted in code points, which is what spreading a text gives.
      "@typescript-eslint/no-misused-spread": "off",
    },
  },
  {
    // The protocol is pure: it reaches neither the page nor the network, nor what is built on it.
    files: ["src/protocol/**"],
    rules: {
      "no-restricted-globals": ["error", "window", "document", "fetch", "WebSocket", "indexedDB", "localStorage"],
      "no-restricted-imports": ["error", { patterns: ["**/gateway/**", "**/state/**", "**/i18n/**"] }],
    },
  },
);
