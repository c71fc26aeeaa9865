package wire

import (
	"strings"
)

// Set finds a known value by the constant's spelling and by the lower-case one.
type Set[T ~string] map[string]T

// Of makes the set of the known values.
func Of[T ~string](known ...T) Set[T] {
	set := make(Set[T], 2*len(known))
	for _, value := range known {
		set[string(value)] = value
		set[strings.ToLower(string(value))] = value
	}
	return set
}

// Decode sets value from a JSON string, number or boolean, and clears it for
// anything else. The constant's own spelling costs no allocation.
func (set Set[T]) Decode(data []byte, value *T) error {
	if n := len(data); n > 2 && data[0] == '"' {
		if known, ok := set[string(data[1:n-1])]; ok {
			*value = known
			return nil
		}
	}
	*value = set.canonical(Text(data))
	return nil
}

// Value is the value of a text. The constant's own spelling costs no allocation.
func (set Set[T]) Value(text []byte) T {
	if known, ok := set[string(text)]; ok {
		return known
	}
	return set.canonical(string(text))
}

// canonical gives the constant for a known value in any case, and else text.
func (set Set[T]) canonical(text string) T {
	if known, ok := set[strings.ToLower(text)]; ok {
		return known
	}
	return T(text)
}

// Known reports whether value is one of the constants.
func (set Set[T]) Known(value T) bool { return set[string(value)] == value && value != "" }
