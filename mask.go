package trulioo

import (
	"strings"
	"unicode/utf8"
)

// Mask hides a value from somebody who looks over a shoulder, and lets who knows
// the person still recognise it: "F*** B***" for a name, "1974-**-**" for a
// date. Of each word it leaves the first letter, and nothing of a word that is
// one letter; of a date as 1974-06-10, with or without a time, the year. The
// length of a word is not shown. It is for screens: whoever has a few masked
// values of a person may well find out who it is, so it makes nothing anonymous.
func Mask(value string) string {
	if date := strings.TrimSpace(value); isDate(date) {
		return date[:4] + "-**-**"
	}
	words := strings.Fields(value)
	for i, word := range words {
		first, size := utf8.DecodeRuneInString(word)
		if words[i] = "***"; first != utf8.RuneError && size < len(word) {
			words[i] = string(first) + "***"
		}
	}
	return strings.Join(words, " ")
}

// isDate reports whether text begins with a day as 1974-06-10, and goes on with
// nothing or with a time.
func isDate(text string) bool {
	const form = "0000-00-00"
	if len(text) < len(form) || len(text) > len(form) && text[len(form)] != 'T' && text[len(form)] != ' ' {
		return false
	}
	for i := range len(form) {
		digit := '0' <= text[i] && text[i] <= '9'
		if digit != (form[i] == '0') || !digit && text[i] != '-' {
			return false
		}
	}
	return true
}
