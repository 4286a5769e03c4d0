// Lets Node.js import k6's scripts: k6's own modules are those of this folder, and every script is a module.
const MODULES = { k6: "./k6.mjs", "k6/http": "./http.mjs", "k6/metrics": "./metrics.mjs" };

export async function resolve(specifier, context, next) {
  if (MODULES[specifier] !== undefined) {
    return { url: new URL(MODULES[specifier], import.meta.url).href, shortCircuit: true };
  }
  if (specifier === "k6" || specifier.startsWith("k6/")) {
    throw new Error(`the shim has no module ${specifier}; add it to loadtest/k6/shim`);
  }
  const resolved = await next(specifier, context);
  return resolved.url.endsWith(".js") ? { ...resolved, format: "module" } : resolved;
}
