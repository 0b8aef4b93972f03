/** Fails, in one line, where this Node is too old to build the page. Its own syntax is old enough to be read there. */

const [major, minor] = process.versions.node.split(".").map(Number);
if (!(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19))) {
  console.error(`The web page needs Node 20.19, 22.12 or newer to be built. This is ${process.versions.node}.`);
  process.exit(1);
}
