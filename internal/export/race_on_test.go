//go:build race

package export

// oneOf is 8: one of eight small cases is run, since the race detector takes ten
// times as long and CI runs its whole part without it as well.
const oneOf = 8
