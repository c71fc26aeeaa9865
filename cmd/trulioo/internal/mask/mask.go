// Package mask hides what people entered from who looks over a shoulder.
package mask

import (
	"regexp"
	"strings"
)

var date = regexp.MustCompile(`^(\d{4})-\d{2}-\d{2}`)

// Value leaves of each word its first letter, and of a date the year.
func Value(value string) string {
	if year := date.FindStringSubmatch(value); year != nil {
		return year[1] + "-**-**"
	}
	words := strings.Fields(value)
	for i, word := range words {
		words[i] = string([]rune(word)[:1]) + "***"
	}
	return strings.Join(words, " ")
}
