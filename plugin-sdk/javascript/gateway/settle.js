// Done last, when the plugin is built.
//
// QuickJS looks for garbage whenever its heap has grown by half, and one search costs as much as all else in a short
// call. So one is brought about here, where the next would come soon: a short call then ends before it, and a long one
// meets it as ever.

/** So many more things can be made before a search, at least. */
const ROOM = 8192;

export function settle() {
  const garbage = cycle();
  const ballast = [];
  while (garbage.deref() !== undefined && ballast.length < ROOM) {
    ballast.push(String.fromCharCode(0x1000 + ballast.length));
    // The engine looks at the size of its heap when an object is made.
    ballast.last = {};
  }
}

/** What only a search finds to be garbage. */
function cycle() {
  const object = {};
  object.self = object;
  return new WeakRef(object);
}
