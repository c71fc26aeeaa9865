package screening

import (
	"math"
	"strconv"
	"strings"
)

// word is the meaning of a list's state.
type word int

const (
	noWord      word = iota // nothing
	clearWord               // "No Hit"
	potential               // "Potential Hit"
	confirmed               // "Hit"
	unknownWord             // anything else that is not empty
)

// readWord reads a state. The vendor's words are "No Hit" and "Potential Hit", and
// "Hit" on older lists.
func readWord(text string) word {
	switch folded(text) {
	case "":
		return noWord
	case "nohit", "nohits":
		return clearWord
	case "potentialhit", "potentialhits", "possiblehit":
		return potential
	case "hit", "hits", "confirmedhit", "truehit":
		return confirmed
	}
	return unknownWord
}

func (w word) hit() bool { return w == potential || w == confirmed }

// The names of numbers of hits, folded, with the kind that they count.
var countNames = map[string]Kind{
	"wlhitsnumber": Watchlist, "numwlhits": Watchlist,
	"amhitsnumber": AdverseMedia, "numamhits": AdverseMedia,
	"pephitsnumber": PEP, "numpephits": PEP,
}

// The names of lists of hits, folded.
var hitNames = map[string]Kind{
	"wlresults":  Watchlist,
	"amresults":  AdverseMedia,
	"pepresults": PEP,
}

// The members that only a hit has, folded.
var subjectNames = map[string]bool{"subjectmatched": true, "entityname": true, "sourceagencyname": true, "sourcelisttype": true}

// readCount reads a number of hits: a whole number that is not negative, also in
// a string.
func readCount(text string) (int64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || f < 0 || f != math.Trunc(f) || f > 1e9 {
		return 0, false
	}
	return int64(f), true
}

// mentions reports whether a name is about watchlists.
func mentions(fold string) bool {
	if strings.Contains(fold, "watchlist") {
		return true
	}
	if _, ok := countNames[fold]; ok {
		return true
	}
	_, ok := hitNames[fold]
	return ok
}

// aboutHits reports whether a name that is not known could hold hits, or their
// number.
func aboutHits(fold string) bool {
	return mentions(fold) || strings.HasSuffix(fold, "results") || strings.Contains(fold, "hit")
}

// The members whose values are names themselves, folded. A person's own words
// are in none of them.
var namingMembers = map[string]bool{
	"fieldname": true, "datasourcename": true, "rulename": true, "secondaryrulename": true, "note": true, "nodetype": true,
	"nodetitle": true, "servicetype": true,
}

// evidence reports whether anything in a value is about watchlists.
func (r *reader) evidence(n node) bool {
	if mentions(n.fold) {
		return true
	}
	if n.kind == '"' {
		return r.evidenceInText(n)
	}
	for _, kid := range n.kids {
		if kid.fold != "inputfields" && r.evidence(kid) {
			return true
		}
	}
	return false
}

func (r *reader) evidenceInText(n node) bool {
	text := strings.TrimSpace(n.text())
	if namingMembers[n.fold] {
		fold := folded(text)
		return mentions(fold) || n.fold == "nodetype" && watchlistType(text)
	}
	if text == "" || text[0] != '{' && text[0] != '[' {
		return false
	}
	if inner := r.open(n); inner.kind != '"' {
		inner.quoted, inner.fold = nil, ""
		return r.evidence(inner)
	}
	fold := folded(text) // JSON that is cut off
	return strings.Contains(fold, "watchlist") || strings.Contains(fold, "results")
}

// watchlistType reports whether a node type is a watchlist's: the set is open, and all
// its types have the same end.
func watchlistType(text string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSpace(text)), "_wl")
}

// otherType reports whether a node type is known to be of another check, whose
// match says nothing about watchlists.
func otherType(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "trulioo_eidv", "trulioo_doc_v", "trulioo_kyb_insights":
		return true
	}
	return false
}
