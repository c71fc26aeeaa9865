//go:build !race

package export

// oneOf is 1: every small case is run.
const oneOf = 1
