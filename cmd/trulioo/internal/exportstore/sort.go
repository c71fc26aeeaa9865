package exportstore

import (
	"cmp"
	"maps"
	"slices"
)

// sorted gives the records by creation, then id.
func sorted(records map[string]Record) []Record {
	return slices.SortedFunc(maps.Values(records), func(a, b Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ClientID, b.ClientID))
	})
}
