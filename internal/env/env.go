// Package env reads environment variables as people set them: an empty one is
// not set, and white space around a value, most often a newline from a file, is
// never meant.
package env

import (
	"os"
	"strings"
)

// Value reads one variable; "" means unset. What is wrong with it, if anything,
// is said in constant words, without the value.
func Value(name string) (value, wrong string) {
	value = os.Getenv(name)
	if value != strings.TrimSpace(value) {
		return "", "has white space around its value"
	}
	return value, ""
}
