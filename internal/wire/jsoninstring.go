package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// maxPacking is how many strings within each other are opened to get at the JSON in
// them, and how many levels a search goes down. Two have been seen.
const maxPacking = 4

// Unpack takes a JSON value out of the strings that it is packed in.
func Unpack(raw json.RawMessage) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	for range maxPacking {
		if len(raw) == 0 || raw[0] != '"' {
			break
		}
		text := Text(raw)
		inner := []byte(strings.TrimSpace(text))
		if text == "" && string(raw) != `""` || len(inner) > 0 && !Valid(inner) {
			break
		}
		raw = inner
	}
	return raw
}

// IsEmpty reports whether raw is nothing, null, or an object or array without
// members.
func IsEmpty(raw json.RawMessage) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return true
	}
	container := raw[0] == '{' || raw[0] == '['
	return container && len(raw) > 1 && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

// Search looks for members of these names in an object, or else in objects in an array
// or a further object; each of them may be JSON in a string. It calls found with the
// value of such a member, or with each element where the value is an array: taken out
// of any strings, unless it is empty, and in the order of names within an object.
func Search(raw json.RawMessage, names []string, found func(name string, value json.RawMessage)) {
	search(raw, names, maxPacking, found)
}

func search(raw json.RawMessage, names []string, depth int, found func(string, json.RawMessage)) {
	raw = Unpack(raw)
	if depth == 0 || IsEmpty(raw) {
		return
	}
	if raw[0] == '[' {
		for _, element := range elements(raw) {
			search(element, names, depth-1, found)
		}
		return
	}
	members := object(raw)
	named := false
	for _, name := range names {
		if list, ok := members[name]; ok {
			named = true
			each(list, func(value json.RawMessage) { found(name, value) })
		}
	}
	if !named {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			search(members[name], names, depth-1, found)
		}
	}
}

// each gives the elements of a list, or a single value that is not in a list.
func each(list json.RawMessage, found func(json.RawMessage)) {
	list = Unpack(list)
	single := []json.RawMessage{list}
	if len(list) > 0 && list[0] == '[' {
		single = elements(list)
	}
	for _, value := range single {
		if value = Unpack(value); !IsEmpty(value) {
			found(value)
		}
	}
}

// object gives an object's values by name, and nil for anything else.
func object(raw json.RawMessage) (members map[string]json.RawMessage) {
	if raw[0] == '{' {
		_ = Unmarshal(raw, &members)
	}
	return members
}

// elements are an array's; nil for anything else.
func elements(raw json.RawMessage) (all []json.RawMessage) {
	_ = Unmarshal(raw, &all)
	return all
}
