// Package seen remembers which ids have come by, in at most 30 bytes each.
package seen

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Set holds 128-bit digests of ids. It is not safe for concurrent use. Its zero
// value is empty.
//
// It is cut into shards that grow one at a time and by a half: one table that
// doubles would need three times the room while it does.
type Set struct {
	shards [16]shard
	length int
}

// shard is a hash table with linear probing.
type shard struct {
	keys   []key
	rounds []uint8
	used   int
}

// key is the digest without its first byte's choice of the shard; zero is an
// empty place.
type key [2]uint64

const (
	firstPlaces = 8
	// A shard grows by a half when it is more than six sevenths full, so that it is
	// never less than four sevenths full: 17 bytes at 4/7 make 30.
	fullNumerator, fullDenominator = 6, 7
)

// Len is how many ids are in the set.
func (s *Set) Len() int { return s.length }

// Add puts id in and reports whether it is new.
func (s *Set) Add(id string) bool {
	fresh, _ := s.Mark(id, 0)
	return fresh
}

// Mark puts id in with the number of a round, and reports whether it is new, and
// whether it has not been marked with this round just before.
func (s *Set) Mark(id string, round uint8) (fresh, first bool) {
	k, shard := s.find(id)
	if (shard.used+1)*fullDenominator > len(shard.keys)*fullNumerator {
		shard.grow()
	}
	at := shard.place(k)
	if shard.keys[at] == k {
		first = shard.rounds[at] != round
		shard.rounds[at] = round
		return false, first
	}
	shard.keys[at], shard.rounds[at] = k, round
	shard.used++
	s.length++
	return true, true
}

// Bytes is the room that the tables take.
func (s *Set) Bytes() int {
	total := 0
	for i := range s.shards {
		total += cap(s.shards[i].keys)*16 + cap(s.shards[i].rounds)
	}
	return total
}

func (s *Set) find(id string) (key, *shard) {
	digest := sha256.Sum256([]byte(id))
	k := key{binary.LittleEndian.Uint64(digest[:]), binary.LittleEndian.Uint64(digest[8:])}
	if k == (key{}) {
		k[0] = 1
	}
	return k, &s.shards[digest[16]%16]
}

// place is where k is, or where it would go.
func (s *shard) place(k key) int {
	high, _ := bits.Mul64(k[0], uint64(len(s.keys))) // a fair share of the table, without a division
	at := int(high)                                  //nolint:gosec // less than the length
	for s.keys[at] != k && s.keys[at] != (key{}) {
		at++
		if at == len(s.keys) {
			at = 0
		}
	}
	return at
}

func (s *shard) grow() {
	old := *s
	places := max(firstPlaces, len(old.keys)+len(old.keys)/2)
	s.keys, s.rounds = make([]key, places), make([]uint8, places)
	for i, k := range old.keys {
		if k != (key{}) {
			at := s.place(k)
			s.keys[at], s.rounds[at] = k, old.rounds[i]
		}
	}
}
