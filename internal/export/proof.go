package export

import (
	"crypto/sha256"
	"math"
)

// sightings remembers when each id of the list was seen, and so proves that a
// list is known.
//
// The proof: a client that is deleted does not come back. So an id that was seen
// before a moment, and again after it, was in the list at that moment. If the server
// counted exactly as many rows at that moment as there are such ids, these ids were
// the whole list, and a client that was there throughout is one of them. Two totals
// are never compared with each other. Dates, bounds, the order of rows and clocks take
// no part.
//
// Moments are numbered: an even one is an answer that came while no other request
// was under way, so that everything else is before or after it. An odd one is the
// time between two of these.
type sightings struct {
	seen      map[digest]sighting
	moment    uint32
	delivered int

	// At some moment more ids were in the list than the server counted.
	miscounted bool

	counts []count // of the even moments, in order
	gains  []int32 // by half the moment: the ids alive then, as differences to the moment before
}

// digest is 128 bits of an id's SHA-256.
type digest [16]byte

// sighting is the moment when an id was last seen, above two bits.
type sighting uint32

const (
	delivered sighting = 1 << iota // to the caller, or by an earlier reading
	ranged                         // by the answer that has a whole range of time
	bits      = iota
)

// count is the server's count at a moment.
type count struct {
	moment uint32
	total  int
}

func digestOf(id string) (d digest) {
	sum := sha256.Sum256([]byte(id))
	copy(d[:], sum[:])
	return d
}

// sight notes that the id is in the list at the present moment, and gives the
// sighting before. known is false where there was none.
func (s *sightings) sight(d digest, flags sighting) (before sighting, known bool) {
	if s.seen == nil {
		s.seen = map[digest]sighting{}
	}
	before, known = s.seen[d]
	from := s.moment // the first even moment at which the id is now known to have been there
	if known {
		from = uint32(before>>bits) + 1
	}
	s.seen[d] = sighting(s.moment<<bits) | before&(delivered|ranged) | flags
	if flags&delivered != 0 && before&delivered == 0 {
		s.delivered++
	}
	s.alive((from+1)/2, s.moment/2)
	return before, known
}

// alive adds an id to the counts of the even moments from 2*first to 2*last.
func (s *sightings) alive(first, last uint32) {
	if first > last {
		return
	}
	for uint32(len(s.gains)) < last+2 { //nolint:gosec // a number of requests
		s.gains = append(s.gains, 0)
	}
	s.gains[first]++
	s.gains[last+1]--
}

// deliver notes that the id is delivered, and reports whether this is the first time.
func (s *sightings) deliver(d digest) bool {
	if s.seen[d]&delivered != 0 {
		return false
	}
	s.seen[d] |= delivered
	s.delivered++
	return true
}

// noTotal is for an answer whose count says nothing about the list.
const noTotal = -1

// alone begins the moment of an answer that no other request overlaps.
func (s *sightings) alone(total int) {
	s.moment += 2 - s.moment%2 // to the next even number
	if total != noTotal {
		s.counts = append(s.counts, count{s.moment, total})
	}
}

// together begins the time after that answer.
func (s *sightings) together() { s.moment |= 1 }

// proven reports whether at some moment the list was known in whole, and all of
// its ids that were still there later have been delivered. Once a count was too low,
// no count of that server proves anything.
func (s *sightings) proven() bool {
	alive, at, known := 0, 0, false
	for _, c := range s.counts {
		for ; at <= int(c.moment/2) && at < len(s.gains); at++ {
			alive += int(s.gains[at])
		}
		s.miscounted = s.miscounted || alive > c.total
		known = known || alive == c.total && s.allDeliveredAt(c.moment)
	}
	return known && !s.miscounted
}

// allDeliveredAt reports whether every id that was seen at the moment or later has
// been delivered.
func (s *sightings) allDeliveredAt(moment uint32) bool {
	if s.delivered == len(s.seen) {
		return true
	}
	for _, last := range s.seen {
		if last&delivered == 0 && uint32(last>>bits) >= moment {
			return false
		}
	}
	return true
}

// missing is the lowest count of the moments from since on, less the rows delivered. A
// row that was sent once and then never again is missing, too. Rows that come while the
// list is read are not in its first counts.
func (s *sightings) missing(since uint32) int {
	least := math.MaxInt
	for _, c := range s.counts {
		if c.moment >= since {
			least = min(least, c.total-s.delivered)
		}
	}
	if least == math.MaxInt {
		return 0
	}
	return max(0, least)
}
