package trulioo

import (
	"strings"
	"unicode/utf8"
)

// Mask hides a value from somebody who looks over a shoulder, while a reader who
// knows the person still recognises it: "F*** B***" for a name, "1974-**-**" for a
// date. It keeps the first letter of each word, and nothing of a word of one letter;
// of a date such as 1974-06-10, with or without a time, it keeps the year. It does
// not show the length of a word. It is for screens and makes nothing anonymous: a few
// masked values of a person can be enough to find out who it is.
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

// isDate reports whether text is a day such as 1974-06-10, with or without a time
// behind it.
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
